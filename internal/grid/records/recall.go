package records

import (
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// A record whose time has come may be in the store only. The sweep then has the
// keys of its hash restored, and looks at them as soon as they are here, before
// they could be evicted again.

// maxRecalled bounds the hashes whose keys are on their way.
const maxRecalled = 1024

// due is a slot whose keys are here again, in a replica that was loaded so many
// times.
type due struct {
	r     *Replica
	m     *Map
	hash  uint32
	loads int
}

// recall asks for the keys of a slot, and reports whether there may be some that
// are in the store only.
func (r *Replica) recall(m *Map, t *record.Table, hash uint32) bool {
	missing := t.MayBeAway(hash)
	if !missing && t.Hollow() > 0 {
		t.Ascend(record.Cursor{Hash: hash}, hash, func(e record.Entry) bool {
			missing = e.Hollow()
			return !missing
		})
	}
	if missing {
		r.shared.recalled++
		r.shared.Recall(r, m, hash)
	}
	return missing
}

// Recalled takes the keys of a hash back from the store, which had been asked
// when the replica had been loaded so many times. The lane pins the table
// meanwhile.
func (r *Replica) Recalled(m *Map, hash uint32, loads int, rows []backing.Row, err error, sec uint32) {
	s := r.shared
	s.recalled--
	if r.loads != loads {
		return // what was loaded has been put down anew
	}
	for i := range rows {
		if err == nil {
			err = r.Restore(m, hash, rows[i].Key.Key, &rows[i], sec)
		}
	}
	d := due{r, m, hash, loads}
	if err != nil {
		s.later(d)
		return
	}
	s.due = append(s.due, d)
}

// Due reports whether slots are to be visited or put off.
func (s *Shared) Due() bool { return len(s.due) > 0 }

// VisitDue does for the keys that were recalled what the sweep would have done.
// Of large ones it leaves to a later sweep what would be too much at once.
func (s *Shared) VisitDue(now Time, fx *Effects) {
	w := &sweep{now: now, cut: s.keeping.cut(now.Sys), confirmed: s.confirmed, fx: fx}
	left := dueBytes
	for _, d := range s.takeDue() {
		if d.r.loads != d.loads {
			continue
		}
		if left <= 0 {
			s.later(d)
			continue
		}
		at := len(fx.Log)
		s.each(d.r, d.m, d.hash, func(t *record.Table, key string) {
			d.r.expire(now, d.m, t, d.hash, key, fx)
			d.r.reclaim(w, d.m, t, d.hash, key)
		})
		left -= fx.before(at)
	}
	w.putOff()
}

// PutOff leaves what is due to a later sweep.
func (s *Shared) PutOff() {
	for _, d := range s.takeDue() {
		s.later(d)
	}
}

func (s *Shared) takeDue() []due {
	all := s.due
	s.due = nil
	return all
}

// later has the next sweep look at a slot.
func (s *Shared) later(d due) {
	at := slot{d.m.number, d.hash}
	s.ends.add(0, at)
	s.deaths.lww.add(0, at)
	s.deaths.tags.add(0, at)
	s.deaths.ageless.add(0, at)
}
