package lane

import "sync/atomic"

// pressedTries is in how many groups one looks for something to evict after
// nothing was found.
const pressedTries = 16

// evictAtOnce is how many records go between two groups of other work: what
// bounds the stall of a write.
const evictAtOnce = 512

// eviction is how far a lane is with leaving records to the store.
type eviction struct {
	pressed bool        // Pressure was called and no checkpoint was made since
	tries   int         // to evict while pressed
	more    atomic.Bool // there is something left that can go
	counted int64       // the second in which the records were counted and filters looked at
}

// trim leaves records to the store while they take more than their budget, and
// not fewer than so many changes may have added. It reports whether there is more
// to do.
func (l *Lane) trim(changes int) (more bool) {
	more = l.evict(evictAtOnce + 2*changes)
	if was := l.evicting.more.Swap(more); was && !more && l.opt.Relieved != nil {
		l.opt.Relieved()
	}
	return more
}

// Evicting reports whether the lane has records to leave to the store that can
// go. Any goroutine may ask.
func (l *Lane) Evicting() bool { return l.evicting.more.Load() }

func (l *Lane) evict(most int) (more bool) {
	s := l.shared
	s.Stats.Bytes.Store(int64(s.Bytes()))
	if sec := l.clock.Sys() / 1000; sec != l.evicting.counted {
		l.evicting.counted = sec
		s.Count()
		s.Renew()
	}
	if !s.Over() {
		return false
	}
	if l.evicting.pressed {
		// Only what was loaded meanwhile can go, so it is not looked for each time.
		if l.evicting.tries++; l.evicting.tries%pressedTries != 0 {
			return false
		}
	}
	if s.Evict(l.clock.Sys(), most) {
		return s.Over()
	}
	if !l.evicting.pressed && l.unkept() && l.opt.Pressure != nil {
		l.evicting.pressed = true
		l.opt.Pressure()
	}
	return false
}

// unkept reports whether a checkpoint would make anything durable in the store.
func (l *Lane) unkept() bool {
	for _, r := range l.replicas {
		if r != nil && r.Unkept() {
			return true
		}
	}
	return false
}
