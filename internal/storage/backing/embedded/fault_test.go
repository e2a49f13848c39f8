package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
)

// A fault makes operations of a disk fail while it is armed. The zero fault is
// not.
type fault struct {
	plan   atomic.Pointer[plan]
	failed atomic.Int64 // operations that failed since it was armed
}

// plan is which writes fail, and how: those that match, from the after-th on.
type plan struct {
	err   error
	after int64
	match func(errorfs.Op) bool // every write if nil
	seen  atomic.Int64
}

// MaybeError implements errorfs.Injector.
func (f *fault) MaybeError(op errorfs.Op) error {
	p := f.plan.Load()
	if p == nil || op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose {
		return nil
	}
	if p.match != nil && !p.match(op) || p.seen.Add(1) <= p.after {
		return nil
	}
	f.failed.Add(1)
	return p.err
}

func (f *fault) String() string { return "fault" }

// arm starts failing with err.
func (f *fault) arm(err error, after int64, match func(errorfs.Op) bool) {
	f.failed.Store(0)
	f.plan.Store(&plan{err: err, after: after, match: match})
}

func (f *fault) heal() { f.plan.Store(nil) }

// faults are what a disk may answer, and what the store makes of it.
var faults = []struct {
	name string
	disk error
	want error
}{
	{"full", &pathError{syscall.ENOSPC}, backing.ErrFull},
	{"over quota", syscall.EDQUOT, backing.ErrFull},
	{"broken", syscall.EIO, backing.ErrIO},
}

// pathError is an error that wraps, as those of package os do.
type pathError struct{ errno syscall.Errno }

func (e *pathError) Error() string { return "write somewhere: " + e.errno.Error() }
func (e *pathError) Unwrap() error { return e.errno }

// TestFaultAtEveryWrite lets the disk fail from any of the writes of a
// checkpoint on. The checkpoint must say so in the right words, the store must
// stay readable and as it was, and the same checkpoint must succeed once the
// disk works again. A power cut at the worst moment changes none of it.
func TestFaultAtEveryWrite(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			n := int64(0)
			for more := true; more; n++ {
				var failures int
				hist := newHistory(rand.New(rand.NewPCG(4, 4)))
				mem := vfs.NewCrashableMem()
				disk := &fault{}
				s := mustOpen(t, errorfs.Wrap(mem, disk), Options{still: true, TableBytes: 1 << 10})
				hist.step(t, s, nil)
				hist.step(t, s, nil)

				disk.arm(c.disk, n, nil)
				hist.step(t, s, func(err error) {
					if failures++; failures == 3 {
						disk.heal()
					}
					if !errors.Is(err, c.want) {
						t.Fatalf("fault at write %d: %v, want %v", n, err, c.want)
					}
					if err := hist.verifyFailed(t, s); err != nil {
						t.Fatalf("fault at write %d, before a retry: %v", n, err)
					}
					cut := mustOpen(t, mem.CrashClone(vfs.CrashCloneCfg{}), Options{})
					if _, err := hist.verify(t, cut, 2, 3); err != nil {
						t.Fatalf("fault at write %d, then the power: %v", n, err)
					}
					mustClose(t, cut)
				})
				more = disk.failed.Load() > 0
				disk.heal()
				if _, err := hist.verify(t, s, 3, 3); err != nil {
					t.Fatalf("fault at write %d, after the retry: %v", n, err)
				}
				if failures > 0 && s.Stats().Failures == 0 {
					t.Errorf("fault at write %d: no failure was counted", n)
				}
				hist.step(t, s, nil)
				mustClose(t, s)
				s = mustOpen(t, mem, Options{still: true})
				if _, err := hist.verify(t, s, 4, 4); err != nil {
					t.Fatalf("fault at write %d, after reopening: %v", n, err)
				}
				mustClose(t, s)
			}
			if n < 10 {
				t.Errorf("a checkpoint had %d writes only", n)
			}
		})
	}
}

// TestFaultsWhileCompacting lets the disk fail at any time, in the foreground
// or behind it, for some operations or for all, and heals it after a while.
func TestFaultsWhileCompacting(t *testing.T) {
	seed := backingtest.Seed(t)
	const rounds, steps = 40, 12
	recovered := uint64(0)
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		hist, mem, disk := newHistory(r), vfs.NewCrashableMem(), &fault{}
		s := mustOpen(t, errorfs.Wrap(mem, disk), small)
		for range steps {
			if r.IntN(3) == 0 {
				disk.heal()
				c := faults[r.IntN(len(faults))]
				disk.arm(c.disk, r.Int64N(40), anyOf(r))
			}
			patience := 1 + r.IntN(3)
			hist.step(t, s, func(err error) {
				if !errors.Is(err, backing.ErrFull) && !errors.Is(err, backing.ErrIO) {
					t.Fatalf("round %d: %v, want ErrFull or ErrIO", round, err)
				}
				if patience--; patience <= 0 {
					disk.heal()
				}
				if err := hist.verifyFailed(t, s); err != nil {
					t.Fatalf("round %d, after a failure: %v", round, err)
				}
			})
			last := hist.returned.Load()
			if _, err := hist.verify(t, s, last, last); err != nil {
				t.Fatalf("round %d, after checkpoint %d: %v", round, last, err)
			}
		}
		disk.heal()
		recovered += s.Stats().Recoveries
		mustClose(t, s)
		s = mustOpen(t, mem.CrashClone(vfs.CrashCloneCfg{}), small)
		if _, err := hist.verify(t, s, steps, steps); err != nil {
			t.Fatalf("round %d, after a crash: %v", round, err)
		}
		mustClose(t, s)
	}
	if recovered == 0 {
		t.Error("no fault made the store recover; the test tests nothing")
	}
}

// anyOf chooses which operations a fault hits.
func anyOf(r *rand.Rand) func(errorfs.Op) bool {
	part := []string{"", "", "MANIFEST", "marker", incomingPrefix, ".sst", "store"}[r.IntN(7)]
	kind := []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpLink, errorfs.OpRename}[r.IntN(5)]
	every := r.IntN(2) == 0
	return func(op errorfs.Op) bool {
		return strings.Contains(path.Base(op.Path), part) && (every || op.Kind == kind)
	}
}

// tableName is how pebble names tables.
var tableName = regexp.MustCompile(`/\d+\.sst$`)

// TestCompactionsThatFail pins that a compaction that cannot write its output
// is tried once for each checkpoint and not in a loop, that checkpoints are
// refused when reads would get too expensive, and that all is well again when
// there is room.
func TestCompactionsThatFail(t *testing.T) {
	hist, disk := newHistory(rand.New(rand.NewPCG(5, 5))), &fault{}
	s := mustOpen(t, errorfs.Wrap(vfs.NewMem(), disk), small)
	disk.arm(syscall.ENOSPC, 0, func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpCreate && tableName.MatchString(op.Path)
	})
	checkpoints := 0
	for refused := false; !refused; {
		if checkpoints++; checkpoints > 100 {
			t.Fatalf("100 checkpoints without a compaction, read depth %d", s.Stats().ReadDepth)
		}
		hist.step(t, s, func(err error) {
			if !errors.Is(err, backing.ErrFull) {
				t.Fatalf("%v, want ErrFull", err)
			}
			refused = true
			disk.heal()
		})
	}
	if tried := disk.failed.Load(); tried == 0 || tried > int64(2*checkpoints) {
		t.Errorf("%d compactions were tried in %d checkpoints", tried, checkpoints)
	}
	last := hist.returned.Load()
	if _, err := hist.verify(t, s, last, last); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		hist.step(t, s, nil)
		if depth := s.in.db.Metrics().Levels[0].Sublevels; int(depth) > small.MaxDepth+1 {
			t.Errorf("read depth is %d after the disk was healed", depth)
		}
	}
	mustClose(t, s)
}

// TestDepthIsBounded pins that reads stay cheap however fast checkpoints come.
func TestDepthIsBounded(t *testing.T) {
	hist := newHistory(rand.New(rand.NewPCG(8, 8)))
	s := mustOpen(t, vfs.NewMem(), small)
	for range 300 {
		hist.step(t, s, nil)
		if depth := s.in.db.Metrics().Levels[0].Sublevels; int(depth) > small.MaxDepth+1 {
			t.Errorf("read depth is %d", depth)
		}
	}
	st := s.Stats()
	if st.Waits == 0 || st.Recoveries != 0 {
		t.Errorf("%d waits and %d recoveries, want some and none", st.Waits, st.Recoveries)
	}
	mustClose(t, s)
}

// TestReadOnlyWhileNothingCanBeOpened pins the last resort: if no new instance
// can be opened for writing, reads go on.
func TestReadOnlyWhileNothingCanBeOpened(t *testing.T) {
	hist, disk := newHistory(rand.New(rand.NewPCG(6, 6))), &fault{}
	s := mustOpen(t, errorfs.Wrap(vfs.NewMem(), disk), Options{still: true})
	hist.step(t, s, nil)
	hist.step(t, s, nil)
	on := func(part string) func(errorfs.Op) bool {
		return func(op errorfs.Op) bool { return strings.Contains(path.Base(op.Path), part) }
	}
	disk.arm(syscall.EIO, 0, on("MANIFEST"))
	stage := 0
	hist.step(t, s, func(err error) {
		if !errors.Is(err, backing.ErrIO) {
			t.Fatalf("%v, want ErrIO", err)
		}
		switch stage++; stage {
		case 1: // the instance is given up; the next one cannot write its options
			disk.heal()
			disk.arm(syscall.EIO, 0, func(op errorfs.Op) bool {
				return strings.HasSuffix(op.Path, ".dbtmp") || on("OPTIONS")(op)
			})
		case 2:
			if s.in == nil || !s.in.readOnly {
				t.Fatal("the store is not open for reading")
			}
			if err := s.Flush(t.Context(), true); !errors.Is(err, backing.ErrIO) {
				t.Errorf("Flush: %v, want ErrIO", err)
			}
		case 3:
			disk.heal()
		}
		if err := hist.verifyFailed(t, s); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := hist.verify(t, s, 3, 3); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Recoveries != 1 || stage != 3 {
		t.Errorf("%d recoveries in %d stages, want 1 in 3", st.Recoveries, stage)
	}
	mustClose(t, s)
}

// TestNoLitter pins that failed checkpoints give back their space at once.
func TestNoLitter(t *testing.T) {
	hist, disk, mem := newHistory(rand.New(rand.NewPCG(7, 7))), &fault{}, vfs.NewMem()
	s := mustOpen(t, errorfs.Wrap(mem, disk), Options{still: true, TableBytes: 1 << 10})
	hist.step(t, s, nil)
	for n := range int64(40) {
		disk.arm(syscall.ENOSPC, n, func(op errorfs.Op) bool { return op.Kind != errorfs.OpRemove })
		hist.step(t, s, func(error) { disk.heal() })
		disk.heal()
		names, err := mem.List("store")
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(names, isIncoming); i >= 0 {
			t.Fatalf("fault at write %d left %s", n, names[i])
		}
	}
	mustClose(t, s)
	for range 5 {
		mustClose(t, mustOpen(t, mem, Options{}))
	}
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	logs := fmt.Sprint(slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".log") }))
	if strings.Count(logs, ".log") > 1 {
		t.Errorf("pebble's logs pile up: %s", logs)
	}
}

func isIncoming(name string) bool { return strings.HasPrefix(name, incomingPrefix) }
