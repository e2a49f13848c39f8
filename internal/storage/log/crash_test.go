package log

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// history is what an observer of a log knows: the slow, obvious twin.
type history struct {
	payloads map[LSN]string
	durable  entries      // in order: everything that Durable has reported
	lost     map[LSN]bool // failed, and a recovery or an Open has decided so
	open     []LSN        // appended, in order, and not decided
	dropped  LSN          // greatest position given to DropBefore
	highest  LSN          // greatest LSN handed out
}

func newHistory() *history {
	return &history{payloads: map[LSN]string{}, lost: map[LSN]bool{}}
}

func (h *history) clone() *history {
	c := *h
	c.payloads, c.lost = maps.Clone(h.payloads), maps.Clone(h.lost)
	c.durable = entries{slices.Clone(h.durable.lsns), slices.Clone(h.durable.payloads)}
	c.open = slices.Clone(h.open)
	return &c
}

func (h *history) appended(lsn LSN, payload string) error {
	if lsn <= h.highest {
		return fmt.Errorf("LSN %d handed out after %d", lsn, h.highest)
	}
	h.highest = lsn
	h.payloads[lsn] = payload
	h.open = append(h.open, lsn)
	return nil
}

// reached records that everything open up to lsn is durable, the rest is still
// open.
func (h *history) reached(lsn LSN) {
	for len(h.open) > 0 && h.open[0] <= lsn {
		h.durable.add(h.open[0], h.payloads[h.open[0]])
		h.open = h.open[1:]
	}
}

// decided records that what is open is lost.
func (h *history) decided() {
	for _, lsn := range h.open {
		h.lost[lsn] = true
	}
	h.open = nil
}

// reopened compares what a log holds after Open with the history: everything
// durable, then perhaps some of what was open, in order and without a gap. It
// then is the history.
func (h *history) reopened(l *Log) error {
	var got entries
	err := l.Replay(h.dropped, func(lsn LSN, payload []byte) error {
		got.add(lsn, string(payload))
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay from %d: %w", h.dropped, err)
	}
	want := h.durable.after(h.dropped)
	n := len(want.lsns)
	if len(got.lsns) < n || !(entries{got.lsns[:n], got.payloads[:n]}).equal(want) {
		return fmt.Errorf("durable frames are missing or differ:\n%swant:\n%s", got, want)
	}
	for i, lsn := range got.lsns[n:] {
		switch {
		case h.lost[lsn]:
			return fmt.Errorf("failed frame %d came back", lsn)
		case i >= len(h.open) || h.open[i] != lsn || h.payloads[lsn] != got.payloads[n+i]:
			return fmt.Errorf("frame %d is out of order or not what was appended", lsn)
		}
	}
	last := h.dropped
	if k := len(got.lsns); k > 0 {
		last = got.lsns[k-1]
	}
	if l.Durable() != last && (len(got.lsns) > 0 || l.Durable() > last) {
		return fmt.Errorf("durable is %d, last frame %d", l.Durable(), last)
	}
	h.reached(last)
	h.decided()
	return nil
}

// story is one random life of a log: appends, steps, drops, failures, restarts
// and power cuts, with a power cut tried at every change to the disk.
type story struct {
	rng   *rand.Rand
	mem   *vfs.MemFS
	world *world
	log   *Log
	h     *history

	calm     int // operations until the next failure; none while negative
	tried    int // power cuts
	failures int
	opening  bool
	err      error
}

func (s *story) options() Options {
	return Options{SegmentBytes: 12 << 10, ZeroAhead: 6 << 10, MaxPending: 16 << 10, Random: newSeeded(s.rng.Uint64())}
}

// ask is called before every operation on the disk.
func (s *story) ask(k kind, _ string) verdict {
	if s.err != nil {
		return proceed
	}
	switch k {
	case opWrite, opSync, opDirSnc, opCreate, opRemove:
		s.cut(0)
		s.cut(1 + s.rng.IntN(100))
	default:
		return proceed
	}
	if s.opening || s.calm < 0 {
		return proceed
	}
	if s.calm--; s.calm > 0 {
		return proceed
	}
	s.calm = 1 + s.rng.IntN(60)
	s.failures++
	return verdict(1 + s.rng.IntN(verdicts-1))
}

// cut tries a power cut at this moment, in a world of its own.
func (s *story) cut(percent int) {
	s.tried++
	h := s.h.clone()
	mem := s.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: s.rng})
	l, err := Open(mem, testDir, stillClock{}, s.options())
	if err != nil {
		s.err = fmt.Errorf("open after a power cut: %w", err)
		return
	}
	defer func() { _ = l.Close() }()
	if err := h.reopened(l); err != nil {
		s.err = fmt.Errorf("after a power cut: %w", err)
		return
	}
	if s.rng.IntN(4) > 0 {
		return
	}
	// Life goes on, and what Open accepted stays, if the power goes at once too.
	again := mem.CrashClone(vfs.CrashCloneCfg{})
	if err := h.live(l); err != nil {
		s.err = fmt.Errorf("after a power cut: %w", err)
		return
	}
	for _, m := range []*vfs.MemFS{again, mem.CrashClone(vfs.CrashCloneCfg{})} {
		h := h
		if m == again {
			h = h.clone()
			h.durable = entries{h.durable.lsns[:len(h.durable.lsns)-1], h.durable.payloads[:len(h.durable.lsns)-1]}
		}
		l, err := Open(m, testDir, stillClock{}, s.options())
		if err == nil {
			err = h.reopened(l)
			_ = l.Close()
		}
		if err != nil {
			s.err = fmt.Errorf("after two power cuts: %w", err)
		}
	}
}

// live appends one frame and makes it durable.
func (h *history) live(l *Log) error {
	lsn, err := l.Append(l.Generation(), []byte("life goes on"))
	if err != nil {
		return err
	}
	if err := h.appended(lsn, "life goes on"); err != nil {
		return err
	}
	if _, err := l.Step(); err != nil {
		return err
	}
	h.reached(lsn)
	return nil
}

func (s *story) open() {
	s.opening = true
	l, err := Open(s.world, testDir, stillClock{}, s.options())
	s.opening = false
	if err == nil {
		s.log = l
		err = s.h.reopened(l)
	}
	if err != nil && s.err == nil {
		s.err = err
	}
}

func (s *story) act() {
	n := s.rng.IntN(100)
	if !s.log.Healthy() && n < 50 {
		n = 80
	}
	switch {
	case n < 50:
		p := fmt.Sprintf("%0*d", 1+s.rng.IntN(1200), s.rng.IntN(1000))
		lsn, err := s.log.Append(s.log.Generation(), []byte(p))
		switch {
		case err == nil:
			s.err = errors.Join(s.err, s.h.appended(lsn, p))
		case !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrFull):
			s.err = fmt.Errorf("append: %w", err)
		}
	case n < 80:
		gen, before := s.log.Generation(), s.log.Durable()
		_, err := s.log.Step()
		if err != nil && s.log.Durable() != before {
			s.err = fmt.Errorf("durable moved from %d to %d in a step that failed", before, s.log.Durable())
		}
		s.h.reached(s.log.DurableAt(gen))
	case n < 88:
		if err := s.log.Recover(); err == nil && s.log.Generation() > 1 {
			s.settleFailed()
		}
	case n < 91:
		lsn := LSN(0)
		if len(s.h.durable.lsns) > 0 {
			lsn = s.h.durable.lsns[s.rng.IntN(len(s.h.durable.lsns))]
		}
		s.h.dropped = max(s.h.dropped, lsn)
		_ = s.log.DropBefore(lsn)
	case n < 97: // the process dies, the disk cache lives
		_ = s.log.Close()
		s.open()
	default: // the power goes
		_ = s.log.Close()
		s.mem = s.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
		s.world = newWorld(s.mem)
		s.world.ask = s.ask
		s.open()
	}
}

// settleFailed records that a recovery has decided: what is open and not pending
// under the generation of now has failed.
func (s *story) settleFailed() {
	s.log.mu.Lock()
	pending := s.log.gather
	s.log.mu.Unlock()
	var kept []LSN
	for _, lsn := range s.h.open {
		if len(pending.buf) > 0 && lsn > pending.start {
			kept = append(kept, lsn)
		} else {
			s.h.lost[lsn] = true
		}
	}
	s.h.open = kept
}

// crashable is an empty disk that has the directory above the log: that is not
// the log's to make durable.
func crashable() *vfs.MemFS {
	mem := vfs.NewCrashableMem()
	_ = mem.MkdirAll("data", 0o755)
	root, _ := mem.OpenDir("/")
	_ = root.Sync()
	_ = root.Close()
	return mem
}

func runStory(seed uint64, acts int) (*story, error) {
	s := &story{rng: rand.New(rand.NewPCG(seed, 99)), mem: crashable(), h: newHistory(), calm: -1}
	if seed%4 != 0 {
		s.calm = 20
	}
	s.world = newWorld(s.mem)
	s.world.ask = s.ask
	s.open()
	for i := 0; i < acts && s.err == nil; i++ {
		s.act()
	}
	_ = s.log.Close()
	return s, s.err
}

// TestNoPowerCutLosesWhatWasDurable runs random stories. LOG_SEED runs one of
// them alone, LOG_STORIES that many.
func TestNoPowerCutLosesWhatWasDurable(t *testing.T) {
	if text := os.Getenv("LOG_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runStory(seed, 300); err != nil {
			t.Fatal(err)
		}
		return
	}
	stories := 16
	if testing.Short() {
		stories = 4
	}
	if n, err := strconv.Atoi(os.Getenv("LOG_STORIES")); err == nil {
		stories = n
	}
	tried, failures, durable := 0, 0, 0
	for range stories {
		seed := rand.Uint64()
		s, err := runStory(seed, 300)
		if err != nil {
			t.Fatalf("replay with LOG_SEED=%d: %v", seed, err)
		}
		tried, failures, durable = tried+s.tried, failures+s.failures, durable+len(s.h.durable.lsns)
	}
	t.Logf("%d stories: %d power cuts, %d failures, %d frames durable", stories, tried, failures, durable)
	if tried < 100*stories || failures < stories || durable < 10*stories {
		t.Error("the stories have become too quiet to show anything")
	}
}
