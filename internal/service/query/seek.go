package query

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
)

// seek finds the rows of one standing query by indexes or keys, in place of a
// pass over the whole map. Each lane takes the path that is cheapest there; when
// that is to read everything on one of them, the query joins the next pass
// instead.
//
// What has been found and what changes meanwhile join as in a pass: a record that
// lies on the path behind the place that the lane has reached is not in the
// result, whatever it was before, because it will be found there.
type seek struct {
	standing *standing
	question access.Question
	paths    []access.Path
	kind     change.Kind
	at       []engine.FoundAt // by lane
	last     []*row           // by lane: where it stopped because it had found enough
	left     int              // lanes that are not done
	over     bool             // done, or nobody wants it
	now      int64
	looked   int
}

// question is what the paths of a plan are looked for with.
func (s *Service) question(p *plan) access.Question {
	q := access.Question{Node: p.node, Indexes: s.engine.Indexes.Of(p.mapName)}
	if p.groups == nil {
		for _, f := range p.sort {
			q.Sort = append(q.Sort, access.SortField{Field: f.Name, Desc: f.desc})
		}
	}
	return q
}

// wantRows has a standing query answered by a seek, where there are paths that
// are worth trying, or by a pass.
func (s *Service) wantRows(q *standing) {
	if q.scan != nil || q.queued {
		return
	}
	if s.engine.Kinds().Of(q.plan.mapName) == change.KindLWW {
		ask := s.question(q.plan)
		if paths := access.Paths(ask); len(paths) > 1 {
			q.queued = true
			s.seeking = append(s.seeking, &seek{standing: q, question: ask, paths: paths, kind: change.KindLWW})
			return
		}
	}
	s.wantPass(q)
}

func (s *Service) startSeeks() {
	for len(s.seeking) > 0 && s.seeks < s.opt.Seeks {
		k := s.seeking[0]
		s.seeking[0] = nil
		s.seeking = s.seeking[1:]
		if k.standing.queued = false; k.standing.users > 0 && k.standing.scan == nil {
			s.beginSeek(k)
		}
	}
}

func (s *Service) beginSeek(k *seek) {
	q := k.standing
	for _, sub := range q.later.take() {
		q.waiting.add(sub)
	}
	n := s.engine.Lanes()
	k.now = s.clock.Now().UnixMilli()
	k.at, k.last, k.left = make([]engine.FoundAt, n), make([]*row, n), n
	q.scan = &scan{seek: k, result: newResult(q.plan, q.fills, k.now)}
	s.seeks++
	s.metrics.seeks.Inc()
	for lane := range n {
		s.askSeek(k, lane)
	}
}

// askSeek asks a lane for the next records.
func (s *Service) askSeek(k *seek, lane int) {
	q := k.standing
	r := q.scan.result
	wanted := 0
	if !r.counts() {
		wanted = r.window.most
	}
	s.engine.Find(engine.FindRequest{
		Map: q.plan.mapName, Lane: lane, Paths: k.paths, Wanted: wanted, From: k.at[lane], Budget: s.opt.SeekRows,
		Keep: func(key, state string) bool {
			doc := document.Of(k.kind, state, k.now)
			if !doc.There || !q.plan.match.Match(key, doc.Full) {
				return false
			}
			return wanted == 0 || q.plan.row(key, state, &doc) != nil
		},
		Find: k, To: s.inbox,
	})
}

// found takes what a lane has found.
func (s *Service) found(f *engine.Found) {
	k, ok := f.Find.(*seek)
	if !ok {
		s.explained(f)
		return
	}
	if k.over {
		return // given up meanwhile
	}
	q := k.standing
	if f.Err != nil || f.Next.Path.Whole() {
		// Nothing is worth more than a pass here; or the lane cannot answer now, or
		// has no longer the index: a pass waits until it can.
		s.endSeek(k)
		q.scan = nil
		s.wantPass(q)
		return
	}
	for i := range f.Rows {
		r := &f.Rows[i]
		doc := document.Of(k.kind, r.State, k.now)
		q.scan.result.admit(r.Key, r.State, &doc)
		if f.Next.Enough && i == len(f.Rows)-1 {
			k.last[f.Lane] = q.plan.row(r.Key, r.State, &doc)
		}
	}
	k.looked += f.Looked
	if k.at[f.Lane] = f.Next; !f.Next.Done {
		s.askSeek(k, f.Lane)
		return
	}
	if k.left--; k.left > 0 {
		return
	}
	s.endSeek(k)
	q.scan.result.window.bound(k.last)
	s.finish(q)
}

// bound takes out the rows that lie behind the place at which any lane stopped:
// others that it has not read may come before them.
func (w *window) bound(last []*row) {
	for _, r := range last {
		if r == nil {
			continue
		}
		w.cut = true
		for n := len(w.rows); n > 0 && w.plan.compare(w.rows[n-1], r) > 0; n-- {
			delete(w.byID, w.rows[n-1].key)
			w.rows[n-1] = nil
			w.rows = w.rows[:n-1]
		}
	}
}

func (s *Service) endSeek(k *seek) {
	k.over = true
	s.seeks--
}

// take takes one change into a result on its way.
func (k *seek) take(e *engine.Engine, c *changed, r *result) {
	at := &k.at[e.Lane(c.hash)]
	had, has := c.was && at.Covers(c.key, c.before.state), c.is && at.Covers(c.key, c.after.state)
	was, is := c.was, c.is
	c.was, c.is = had, has
	r.take(c, nil)
	c.was, c.is = was, is
}
