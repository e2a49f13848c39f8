package embedded

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// A scheduler decides when an instance of pebble compacts: at most limit at
// once, and none between a failed compaction and the next resume. Without it
// pebble would start the failed compaction again at once, and again.
//
// Lock order: pebble's locks before mu. So pebble is never called under mu.
type scheduler struct {
	limit int

	mu       sync.Mutex
	db       pebble.DBForCompaction
	running  int
	held     bool          // after a failure, until resume
	ended    bool          // unregistered, or given up for good
	granting bool          // one goroutine at a time offers compactions to pebble
	again    bool          // room was asked for while granting
	idle     *sync.Cond    // granting became false
	changed  chan struct{} // closed and replaced whenever a compaction ended
	failure  error         // of the last compaction that failed, until resume
	scarred  bool          // a compaction failed at some time
}

func newScheduler(limit int) *scheduler {
	s := &scheduler{limit: limit, changed: make(chan struct{})}
	s.idle = sync.NewCond(&s.mu)
	return s
}

// Register implements pebble.CompactionScheduler.
func (s *scheduler) Register(_ int, db pebble.DBForCompaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = db
}

// Unregister implements pebble.CompactionScheduler.
func (s *scheduler) Unregister() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for s.granting {
		s.idle.Wait()
	}
}

// TrySchedule implements pebble.CompactionScheduler.
func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.roomLocked() {
		// The room may be held by an offer that pebble is about to turn
		// down, because it looked before this compaction was waiting.
		s.again = true
		return false, nil
	}
	s.running++
	return true, grant{s}
}

func (s *scheduler) roomLocked() bool { return !s.ended && !s.held && s.running < s.limit }

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler. It
// is called after flushes, of which there are none.
func (*scheduler) UpdateGetAllowedWithoutPermission() {}

// fail holds compactions back after one failed with err.
func (s *scheduler) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.failure, s.scarred = true, err, true
	s.signalLocked()
}

// stop ends compactions for good.
func (s *scheduler) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.signalLocked()
}

func (s *scheduler) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// upkeep is how compactions stand.
type upkeep struct {
	changed <-chan struct{} // closed when a compaction ends
	busy    bool            // one is running
	failure error           // holds them back until resume
	scarred bool            // one has failed at some time
}

// watch returns how compactions stand. Right after one ended nothing may seem
// to be running although pebble is about to start the next.
func (s *scheduler) watch() upkeep {
	s.mu.Lock()
	defer s.mu.Unlock()
	return upkeep{changed: s.changed, busy: s.running > 0, failure: s.failure, scarred: s.scarred}
}

// resume lets compactions start again after a failure.
func (s *scheduler) resume() {
	s.mu.Lock()
	held := s.held
	s.held, s.failure = false, nil
	s.mu.Unlock()
	if held {
		s.offer()
	}
}

// offer asks pebble for compactions that are waiting while there is room.
func (s *scheduler) offer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.granting {
		s.again = true
		return
	}
	s.granting = true
	for s.roomLocked() && s.db != nil {
		s.running++
		s.again = false
		s.mu.Unlock()
		waiting, _ := s.db.GetWaitingCompaction()
		accepted := waiting && s.db.Schedule(grant{s})
		s.mu.Lock()
		if !accepted {
			s.running--
			if !s.again {
				break
			}
		}
	}
	s.granting = false
	s.idle.Broadcast()
}

// done takes back the room of a compaction that ended and gives it to the next.
// Only then are those told who wait, so that they find the next one running.
func (s *scheduler) done() {
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	s.offer()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signalLocked()
}

// A grant is the permission to run one compaction.
type grant struct{ s *scheduler }

// Started implements pebble.CompactionGrantHandle.
func (grant) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (grant) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (grant) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle.
func (g grant) Done() { g.s.done() }
