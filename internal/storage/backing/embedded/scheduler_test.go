package embedded

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// fakeDB is what a scheduler sees of pebble.
type fakeDB struct {
	waiting bool
	started []pebble.CompactionGrantHandle
	onLook  func() // called when asked what is waiting, before it answers
}

func (db *fakeDB) GetAllowedWithoutPermission() int { return 1 }

func (db *fakeDB) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	answer := db.waiting
	if look := db.onLook; look != nil {
		db.onLook = nil
		look()
	}
	return answer, pebble.WaitingCompaction{}
}

func (db *fakeDB) Schedule(h pebble.CompactionGrantHandle) bool {
	if !db.waiting {
		return false
	}
	db.waiting = false
	db.started = append(db.started, h)
	return true
}

// want does as pebble when it has a compaction to run.
func (db *fakeDB) want(s *scheduler) {
	if ok, h := s.TrySchedule(); ok {
		db.started = append(db.started, h)
	} else {
		db.waiting = true
	}
}

func TestCompactionsTakeTurns(t *testing.T) {
	db, s := &fakeDB{}, newScheduler(2)
	s.Register(1, db)
	for range 3 {
		db.want(s)
	}
	if len(db.started) != 2 || !db.waiting {
		t.Fatalf("%d started, waiting %t, want 2 and one waiting", len(db.started), db.waiting)
	}
	changed := s.watch().changed
	db.started[0].Done()
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the end of a compaction")
	}
	if len(db.started) != 3 || !s.watch().busy {
		t.Errorf("%d started, want the third as well", len(db.started))
	}
	db.started[1].Done()
	db.started[2].Done()
	if s.watch().busy {
		t.Error("busy with nothing running")
	}
}

// TestNoCompactionIsForgotten is about a compaction that comes up while an offer
// is on its way: it found no room, since the offer held it, and the offer was
// turned down, since the compaction was not waiting yet. It then waited for ever,
// and all others behind it.
func TestNoCompactionIsForgotten(t *testing.T) {
	db, s := &fakeDB{}, newScheduler(1)
	s.Register(1, db)
	db.want(s)
	db.onLook = func() { db.want(s) }
	db.started[0].Done()
	if len(db.started) != 2 {
		t.Errorf("%d compactions started, want 2", len(db.started))
	}
}

func TestAFailureHoldsCompactionsBack(t *testing.T) {
	db, s := &fakeDB{}, newScheduler(1)
	s.Register(1, db)
	db.want(s)
	s.fail(errors.New("broken"))
	db.started[0].Done()
	db.want(s)
	if up := s.watch(); len(db.started) != 1 || up.failure == nil || up.busy {
		t.Fatalf("%d started, failure %v, want the first only", len(db.started), up.failure)
	}
	s.resume()
	if up := s.watch(); len(db.started) != 2 || up.failure != nil || !up.scarred {
		t.Errorf("%d started, failure %v, scarred %t, want the second as well", len(db.started), up.failure, up.scarred)
	}
	s.Unregister()
	db.started[1].Done()
	db.want(s)
	if len(db.started) != 2 {
		t.Error("a compaction started after the end")
	}
}
