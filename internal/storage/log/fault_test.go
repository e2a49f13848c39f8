package log

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// script is one fixed life of a log that uses every operation on the disk. What
// fails is tried again, as Run and the checkpoints do.
type script struct {
	tb       testing.TB
	fsys     vfs.FS
	log      *Log
	want     entries
	dropped  LSN
	failures int // operations of the log that returned the injected error
}

// try runs fn until it returns nil; injections end by themselves.
func (s *script) try(what string, fn func() error) {
	s.tb.Helper()
	for range 50 {
		err := fn()
		if err == nil {
			return
		}
		if !errors.Is(err, errInjected) && !errors.Is(err, errShortWrite) {
			s.tb.Fatalf("%s: %v", what, err)
		}
		s.failures++
	}
	s.tb.Fatalf("%s does not succeed", what)
}

func (s *script) open() {
	s.tb.Helper()
	s.try("open", func() (err error) {
		s.log, err = Open(s.fsys, testDir, stillClock{}, Options{SegmentBytes: 3000, ZeroAhead: 1000, Spares: 1, Random: newSeeded(3)})
		return err
	})
	s.replay()
}

func (s *script) replay() {
	s.tb.Helper()
	s.try("replay", func() error {
		var got entries
		err := s.log.Replay(s.dropped, func(lsn LSN, payload []byte) error {
			got.add(lsn, string(payload))
			return nil
		})
		if err == nil && !got.equal(s.want.after(s.dropped)) {
			s.tb.Fatalf("replay from %d:\n%swant:\n%s", s.dropped, got, s.want.after(s.dropped))
		}
		return err
	})
}

func (s *script) group(n int) {
	s.tb.Helper()
	s.try("step", func() error {
		gen, before := s.log.Generation(), s.log.Durable()
		var group entries
		for i := range n {
			p := strings.Repeat(string(rune('a'+i)), 400)
			lsn, err := s.log.Append(gen, []byte(p))
			if err != nil {
				s.tb.Fatalf("append: %v", err)
			}
			group.add(lsn, p)
		}
		_, err := s.log.Step()
		if err == nil {
			s.want.lsns = append(s.want.lsns, group.lsns...)
			s.want.payloads = append(s.want.payloads, group.payloads...)
			return nil
		}
		if s.log.Durable() != before || s.log.Generation() != gen+1 || s.log.Healthy() {
			s.tb.Fatalf("after a failed step: durable %d then %d, generation %d then %d, healthy %v", before, s.log.Durable(), gen, s.log.Generation(), s.log.Healthy())
		}
		s.replay()
		s.try("recover", s.log.Recover)
		return err
	})
}

func (s *script) drop(lsn LSN) {
	s.tb.Helper()
	s.dropped = lsn
	s.try("drop", func() error { return s.log.DropBefore(lsn) })
	s.replay()
}

func (s *script) run() {
	s.tb.Helper()
	s.open()
	for i := range 6 {
		s.group(1 + i%3)
	}
	s.replay()
	s.drop(s.want.lsns[8])
	s.group(3)
	_ = s.log.Close()
	s.open()
	s.group(2)
	s.drop(s.want.lsns[len(s.want.lsns)-1])
	s.group(1)
	_ = s.log.Close()
	s.open()
	_ = s.log.Close()
}

// TestEveryOperationMayFail lets each operation on the disk fail in every way,
// once and for a while.
func TestEveryOperationMayFail(t *testing.T) {
	var kinds []kind
	count := newWorld(vfs.NewMem())
	count.ask = func(k kind, _ string) verdict { kinds = append(kinds, k); return proceed }
	(&script{tb: t, fsys: count}).run()
	for _, k := range []kind{opList, opMkdir, opOpen, opCreate, opRead, opWrite, opSync, opDir, opDirSnc, opRemove, opRename, opClose} {
		if !slices.Contains(kinds, k) {
			t.Errorf("the script has no operation %q", k)
		}
	}
	noticed := map[kind]bool{}
	for at, k := range kinds {
		for v := refuse; v < verdicts; v++ {
			if v == swallow && k != opWrite {
				continue
			}
			for _, times := range []int{1, 9} {
				w := newWorld(vfs.NewMem())
				n := 0
				w.ask = func(kind, string) verdict {
					n++
					if n > at && n <= at+times {
						return v
					}
					return proceed
				}
				s := &script{tb: t, fsys: w}
				if ok := t.Run(fmt.Sprintf("%s at %d, way %d, %d times", k, at, v, times), func(t *testing.T) { s.tb = t; s.run() }); !ok {
					return
				}
				if times == 1 && s.failures > 0 {
					noticed[k] = true
				}
			}
		}
	}
	for _, k := range []kind{opList, opMkdir, opOpen, opCreate, opRead, opWrite, opSync, opDir, opDirSnc, opRemove, opRename} {
		if !noticed[k] {
			t.Errorf("no failure of %q was ever reported", k)
		}
	}
}

// TestFullDiskEndsSomeday shows the log coming back after many attempts, with
// positions that go on.
func TestFullDiskEndsSomeday(t *testing.T) {
	w := newWorld(vfs.NewMem())
	l := mustOpen(t, w, smallOptions())
	first := put(t, l, "first")
	lost := mustAppend(t, l, "lost")
	w.ask = func(k kind, _ string) verdict {
		if k == opWrite {
			return partly
		}
		return proceed
	}
	if _, err := l.Step(); err == nil {
		t.Fatal("no failure")
	}
	for range 20 {
		if err := l.Recover(); err == nil {
			t.Fatal("recovered on a full disk")
		}
	}
	if s := l.Stats(); s.FailedRecoveries != 20 || s.Failures != 1 || !errors.Is(s.LastError, errInjected) {
		t.Errorf("stats are %+v", s)
	}
	w.ask = nil
	if err := l.Recover(); err != nil {
		t.Fatal(err)
	}
	second := put(t, l, "second")
	if second <= lost {
		t.Errorf("LSN %d after %d", second, lost)
	}
	check(t, mustOpen(t, w, smallOptions()), 0, entries{[]LSN{first, second}, []string{"first", "second"}})
}

// A crash may undo removals in any order. The log must never be left with a gap,
// which Open takes for a lost segment; so each removal is durable before the next.
func TestSegmentsAreRemovedOneByOne(t *testing.T) {
	w := newWorld(vfs.NewMem())
	l := mustOpen(t, w, smallOptions())
	var last LSN
	for range 60 {
		last = put(t, l, strings.Repeat("x", 900))
	}
	var order []string
	fail := true
	w.ask = func(k kind, name string) verdict {
		switch k {
		case opDirSnc:
			order = append(order, string(k))
		case opRemove, opRename:
			order = append(order, "take away")
			if base, _ := parseName(name); base > last {
				t.Errorf("takes away %s", name)
			}
		default:
		}
		if k == opDirSnc && fail {
			return refuse
		}
		return proceed
	}
	for range 2 {
		if err := l.DropBefore(last); !errors.Is(err, errInjected) {
			t.Fatalf("drop while the directory cannot be synced: %v", err)
		}
	}
	fail = false
	if err := l.DropBefore(last); err != nil {
		t.Fatal(err)
	}
	// Two failed syncs of the directory and one that is made up for, then pairs.
	want := []string{"take away", "sync dir", "sync dir", "sync dir"}
	for len(want) < len(order) {
		want = append(want, "take away", "sync dir")
	}
	if len(order) < 8 || !slices.Equal(order, want) {
		t.Errorf("order is %q", order)
	}
}
