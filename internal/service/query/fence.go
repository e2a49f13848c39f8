package query

// A subscriber of a query that is kept already is answered from what is kept, but
// not before that contains its own writes, which may still be on a lane. So a
// fence is put into every lane, behind the writes, and comes back through the
// inbox behind their changes.

// fences is one fence on every lane, and who waits for them.
type fences struct {
	left    int
	waiting list
}

// fence answers a subscription once its own writes are seen. The next fences are
// waited for: those under way may have been put before the writes.
func (s *Service) fence(sub *subscription) { s.fenced.add(sub) }

func (s *Service) startFences() {
	if s.fences != nil || len(s.fenced.subs) == 0 {
		return
	}
	f := &fences{left: s.engine.Lanes()}
	for _, sub := range s.fenced.take() {
		f.waiting.add(sub)
	}
	s.fences = f
	for lane := range f.left {
		s.engine.Fence(lane, f, s.inbox)
	}
}

// fenceSeen takes note of a fence that has come back.
func (s *Service) fenceSeen(f *fences) {
	if f != s.fences {
		return // lost with a gap
	}
	if f.left--; f.left > 0 {
		return
	}
	s.fences = nil
	for _, sub := range f.waiting.take() {
		s.answerFenced(sub)
	}
}

// answerFenced answers a subscription whose writes are seen.
func (s *Service) answerFenced(sub *subscription) {
	q := sub.standing
	if q.live != nil && !q.filling && !q.live.ttl {
		s.answer(sub)
		return
	}
	// Not ready, or something may have expired since.
	if q.scan == nil {
		q.waiting.add(sub)
		s.wantRows(q)
		return
	}
	q.later.add(sub)
}

// loseFences has those who wait for fences wait for a pass: the inbox has lost
// the fences.
func (s *Service) loseFences() {
	waiting := s.fenced.take()
	if s.fences != nil {
		waiting = append(waiting, s.fences.waiting.take()...)
		s.fences = nil
	}
	for _, sub := range waiting {
		sub.standing.waiting.add(sub)
	}
}
