package log

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallOptions make every boundary near.
func smallOptions() Options {
	return Options{SegmentBytes: 8 << 10, ZeroAhead: 2 << 10, Spares: 1, Random: newSeeded(7)}
}

func mustOpen(tb testing.TB, fsys vfs.FS, opt Options) *Log {
	tb.Helper()
	l, err := Open(fsys, testDir, stillClock{}, opt)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func mustAppend(tb testing.TB, l *Log, payload string) LSN {
	tb.Helper()
	lsn, err := l.Append(l.Generation(), []byte(payload))
	if err != nil {
		tb.Fatalf("append: %v", err)
	}
	return lsn
}

func mustStep(tb testing.TB, l *Log) {
	tb.Helper()
	if worked, err := l.Step(); err != nil || !worked {
		tb.Fatalf("step: worked %v, error %v", worked, err)
	}
}

// put appends and makes durable.
func put(tb testing.TB, l *Log, payload string) LSN {
	tb.Helper()
	lsn := mustAppend(tb, l, payload)
	mustStep(tb, l)
	return lsn
}

// entries are replayed frames.
type entries struct {
	lsns     []LSN
	payloads []string
}

func replayed(tb testing.TB, l *Log, from LSN) entries {
	tb.Helper()
	var e entries
	err := l.Replay(from, func(lsn LSN, payload []byte) error {
		e.lsns = append(e.lsns, lsn)
		e.payloads = append(e.payloads, string(payload))
		return nil
	})
	if err != nil {
		tb.Fatalf("replay from %d: %v", from, err)
	}
	return e
}

func (e *entries) add(lsn LSN, payload string) {
	e.lsns = append(e.lsns, lsn)
	e.payloads = append(e.payloads, payload)
}

func (e entries) equal(o entries) bool {
	return slices.Equal(e.lsns, o.lsns) && slices.Equal(e.payloads, o.payloads)
}

func (e entries) after(from LSN) entries {
	i := len(e.lsns)
	for i > 0 && e.lsns[i-1] > from {
		i--
	}
	return entries{e.lsns[i:], e.payloads[i:]}
}

func (e entries) String() string {
	var b strings.Builder
	for i := range e.lsns {
		p := e.payloads[i]
		fmt.Fprintf(&b, "%d:%d %.8q\n", e.lsns[i], len(p), p)
	}
	return b.String()
}

func check(tb testing.TB, l *Log, from LSN, want entries) {
	tb.Helper()
	if got := replayed(tb, l, from); !got.equal(want) {
		tb.Fatalf("replay from %d:\n%swant:\n%s", from, got, want)
	}
}

func TestNothingIsDurableBeforeStep(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), smallOptions())
	lsn := mustAppend(t, l, "one")
	if l.Durable() != 0 || l.End() != lsn {
		t.Errorf("durable %d, end %d after appending %d", l.Durable(), l.End(), lsn)
	}
	check(t, l, 0, entries{})
	mustStep(t, l)
	if l.Durable() != lsn || l.DurableAt(1) != lsn {
		t.Errorf("durable %d, at generation 1 %d, want %d", l.Durable(), l.DurableAt(1), lsn)
	}
	check(t, l, 0, entries{[]LSN{lsn}, []string{"one"}})
	if worked, err := l.Step(); worked || err != nil {
		t.Errorf("step with nothing to do: %v, %v", worked, err)
	}
}

func TestReplayFromEveryPositionAcrossSegmentsAndRestarts(t *testing.T) {
	fsys := vfs.NewMem()
	rng := rand.New(rand.NewPCG(1, 2))
	var all entries
	for range 4 {
		l := mustOpen(t, fsys, smallOptions())
		check(t, l, 0, all)
		if len(all.lsns) > 0 && l.Durable() != all.lsns[len(all.lsns)-1] {
			t.Fatalf("durable is %d after a restart", l.Durable())
		}
		for range 30 {
			for range 1 + rng.IntN(4) {
				p := strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(900))
				all.add(mustAppend(t, l, p), p)
			}
			mustStep(t, l)
		}
		for _, lsn := range all.lsns {
			check(t, l, lsn, all.after(lsn))
			check(t, l, lsn-1, all.after(lsn-1))
		}
		if l.Stats().Segments < 3 {
			t.Fatalf("only %d segments", l.Stats().Segments)
		}
	}
	if !slices.IsSorted(all.lsns) || slices.Compact(slices.Clone(all.lsns))[len(all.lsns)-1] != all.lsns[len(all.lsns)-1] {
		t.Error("LSNs do not grow")
	}
}

func TestAppendRefuses(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	opt := smallOptions()
	opt.MaxPending = 1000
	l := mustOpen(t, fsys, opt)
	if _, err := l.Append(1, make([]byte, MaxFrame+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a payload beyond MaxFrame: %v", err)
	}
	if _, err := l.Append(2, nil); !errors.Is(err, ErrStale) {
		t.Errorf("another generation: %v", err)
	}
	mustAppend(t, l, strings.Repeat("x", 5000)) // the first always fits
	if _, err := l.Append(1, nil); !errors.Is(err, ErrFull) {
		t.Errorf("beyond MaxPending: %v", err)
	}
	fsys.ask = func(k kind, _ string) verdict {
		if k == opSync {
			return refuse
		}
		return proceed
	}
	if worked, err := l.Step(); !worked || !errors.Is(err, errInjected) {
		t.Errorf("step with a sync that fails: %v, %v", worked, err)
	}
	if _, err := l.Append(1, nil); !errors.Is(err, ErrStale) {
		t.Errorf("the failed generation: %v", err)
	}
	if _, err := l.Append(2, nil); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errInjected) {
		t.Errorf("while failed: %v", err)
	}
	if _, err := l.Step(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("step while failed: %v", err)
	}
	if l.Healthy() {
		t.Error("healthy while failed")
	}
	if err := l.Recover(); !errors.Is(err, errInjected) {
		t.Errorf("recover while syncs fail: %v", err)
	}
	fsys.ask = nil
	if err := l.Recover(); err != nil {
		t.Errorf("recover: %v", err)
	}
	if err := l.Recover(); err != nil || !l.Healthy() {
		t.Errorf("recover a healthy log: %v", err)
	}
	put(t, l, "again")
	_ = l.Close()
	if _, err := l.Append(2, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	_, stepErr := l.Step()
	for _, err := range []error{stepErr, l.Recover(), l.DropBefore(1)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	}
}

// Payloads of one Append are all taken or none, and come back one by one.
func TestPayloadsAppendedTogether(t *testing.T) {
	opt := smallOptions()
	opt.MaxPending = 1000
	l := mustOpen(t, vfs.NewMem(), opt)
	defer l.Close()
	small, large := []byte("small"), make([]byte, 400)
	for _, refused := range [][][]byte{{small, make([]byte, MaxFrame+1)}, slices.Repeat([][]byte{make([]byte, MaxFrame)}, 16)} {
		if _, err := l.Append(1, refused...); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d payloads that are too large: %v", len(refused), err)
		}
	}
	if _, err := l.Append(1, small, large); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, large, large); !errors.Is(err, ErrFull) {
		t.Errorf("two of which one has room: %v", err)
	}
	if l.End() != LSN(2*frameHeaderBytes+len(small)+len(large)) {
		t.Errorf("the log ends at %d", l.End())
	}
	end, err := l.Append(1, small)
	if _, stepErr := l.Step(); err != nil || stepErr != nil {
		t.Fatal(err, stepErr)
	}
	var got []string
	err = l.Replay(0, func(lsn LSN, payload []byte) error {
		got = append(got, fmt.Sprint(len(payload), lsn == end))
		return nil
	})
	if want := "[5 false 400 false 5 true]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("replayed %v, %v, want %s", got, err, want)
	}
}

// A caller that waits for an LSN of a failed generation must not take the LSNs
// of the next one, which are greater, for its own.
func TestDurableAtKeepsGenerationsApart(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	l := mustOpen(t, fsys, smallOptions())
	kept := put(t, l, "kept")
	lost := mustAppend(t, l, "lost")
	fsys.ask = func(k kind, _ string) verdict {
		if k == opWrite {
			return pretend
		}
		return proceed
	}
	if _, err := l.Step(); err == nil {
		t.Fatal("the write did not fail")
	}
	fsys.ask = nil
	if err := l.Recover(); err != nil {
		t.Fatal(err)
	}
	later := put(t, l, "later")
	if later <= lost {
		t.Errorf("LSN %d handed out after %d", later, lost)
	}
	if l.Durable() != later || l.DurableAt(2) != later || l.DurableAt(1) != kept {
		t.Errorf("durable %d; generation 1 up to %d, 2 up to %d", l.Durable(), l.DurableAt(1), l.DurableAt(2))
	}
	if l.DurableAt(0) != 0 || l.DurableAt(3) != 0 {
		t.Error("something is durable under generations that never were")
	}
	want := entries{[]LSN{kept, later}, []string{"kept", "later"}}
	check(t, l, 0, want)
	check(t, mustOpen(t, fsys, smallOptions()), 0, want)
}

func TestFailuresAreForgottenOldestFirst(t *testing.T) {
	f := failures{first: 1}
	for i := range 3 * failuresKept {
		f.add(LSN(i))
	}
	last := uint64(3 * failuresKept)
	for _, tt := range []struct {
		gen  uint64
		want LSN
	}{{last + 1, 99}, {last, LSN(last - 1)}, {last - failuresKept + 1, LSN(last - failuresKept)}, {last - failuresKept, 0}, {1, 0}} {
		if got := f.durableAt(tt.gen, 99); got != tt.want {
			t.Errorf("generation %d was durable up to %d, want %d", tt.gen, got, tt.want)
		}
	}
}

func TestSubscribersHearOfEverything(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	l := mustOpen(t, fsys, smallOptions())
	var seen []string
	for range 2 {
		l.Subscribe(func() { seen = append(seen, fmt.Sprint(l.Generation(), l.Healthy(), l.Durable() > 0)) })
	}
	fsys.ask = func(k kind, _ string) verdict {
		if k == opWrite {
			return refuse
		}
		return proceed
	}
	mustAppend(t, l, "a")
	_, _ = l.Step()
	fsys.ask = nil
	_ = l.Recover()
	put(t, l, "b")
	want := []string{"2 false false", "2 false false", "2 true false", "2 true false", "2 true true", "2 true true"}
	if !slices.Equal(seen, want) {
		t.Errorf("subscribers saw %q", seen)
	}
}

func TestPendingSignalsTheFirstAppendOfAGroup(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), smallOptions())
	signalled := func() bool {
		select {
		case <-l.Pending():
			return true
		default:
			return false
		}
	}
	if signalled() {
		t.Error("signal without an append")
	}
	mustAppend(t, l, "a")
	mustAppend(t, l, "b")
	if !signalled() || signalled() {
		t.Error("two appends of a group give not one signal")
	}
	mustStep(t, l)
	mustAppend(t, l, "c")
	if !signalled() {
		t.Error("no signal for the next group")
	}
}

func TestDropBefore(t *testing.T) {
	fsys := vfs.NewMem()
	l := mustOpen(t, fsys, smallOptions())
	var all entries
	for i := range 60 {
		p := strings.Repeat(string(rune('A'+i%26)), 700)
		all.add(put(t, l, p), p)
	}
	before := l.Retained()
	cut := all.lsns[30]
	if err := l.DropBefore(cut); err != nil {
		t.Fatal(err)
	}
	if r := l.Retained(); r < before*4/10 || r > before*6/10 {
		t.Errorf("%d bytes retained of %d after dropping half", r, before)
	}
	check(t, l, cut, all.after(cut))
	if err := l.Replay(all.lsns[0], nil); !errors.Is(err, ErrTruncated) {
		t.Errorf("replay from a dropped position: %v", err)
	}
	l = mustOpen(t, fsys, smallOptions())
	check(t, l, cut, all.after(cut))

	// The last segment stays whatever is dropped, and positions go on from it.
	if err := l.DropBefore(l.Durable() + 1<<40); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Segments != 1 || l.Retained() != 0 {
		t.Errorf("%d segments, %d bytes after dropping everything", s.Segments, l.Retained())
	}
	last := all.lsns[len(all.lsns)-1]
	check(t, l, last, entries{})
	l = mustOpen(t, fsys, smallOptions())
	if lsn := put(t, l, "next"); lsn <= last {
		t.Errorf("LSN %d after %d", lsn, last)
	}
	if files, _ := fsys.List(testDir); len(files) != 1+len(l.spares) {
		t.Errorf("files are %q", files)
	}
}

// Failures leave segments without frames; they must not make positions look
// dropped that are not.
func TestDropBeforeAcrossEmptySegments(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	l := mustOpen(t, fsys, smallOptions())
	kept := put(t, l, "kept")
	for range 3 {
		mustAppend(t, l, "lost")
		fsys.ask = func(k kind, _ string) verdict {
			if k == opSync {
				return pretend
			}
			return proceed
		}
		_, _ = l.Step()
		fsys.ask = nil
		if err := l.Recover(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.DropBefore(kept); err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().Segments; n != 1 {
		t.Errorf("%d segments are left", n)
	}
	check(t, l, kept, entries{})
	later := put(t, l, "later")
	check(t, mustOpen(t, fsys, smallOptions()), kept, entries{[]LSN{later}, []string{"later"}})
}

func TestReplayStopsAtTheErrorOfItsFunction(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), smallOptions())
	put(t, l, "a")
	put(t, l, "b")
	n := 0
	err := l.Replay(0, func(LSN, []byte) error { n++; return errInjected })
	if n != 1 || !errors.Is(err, errInjected) {
		t.Errorf("%d calls, %v", n, err)
	}
}

func TestLargeFramesAndEmptyOnes(t *testing.T) {
	fsys := vfs.NewMem()
	l := mustOpen(t, fsys, smallOptions())
	var all entries
	for _, n := range []int{0, 1, windowBytes - 1, 3 * windowBytes, 0, 0, 17} {
		p := string(bytes.Repeat([]byte{byte(n), 0, 0xff}, n/3+1)[:n])
		all.add(mustAppend(t, l, p), p)
		if n%2 == 1 {
			mustStep(t, l)
		}
	}
	check(t, l, 0, all)
	check(t, mustOpen(t, fsys, smallOptions()), 0, all)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := Open(vfs.NewMem(), testDir, stillClock{}, Options{SegmentBytes: -1, MaxPending: 1 << 31, RetryMin: 2, RetryMax: 1})
	if err == nil || strings.Count(err.Error(), "must") != 3 {
		t.Errorf("complaints are: %v", err)
	}
}

func TestBuffersShrinkAfterALargeGroup(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), smallOptions())
	put(t, l, strings.Repeat("x", 20<<20))
	for range 4 {
		put(t, l, "small")
	}
	if n := cap(l.spare) + cap(l.gather.buf); n > 2*keepBytes {
		t.Errorf("%d bytes of buffers kept", n)
	}
}

// TestDroppedFilesAreWrittenOver: the files of a log that is dropped as it grows
// are used in turns, what was in them is never taken for frames, and those that
// somebody reads are left alone.
func TestDroppedFilesAreWrittenOver(t *testing.T) {
	fsys := vfs.NewMem()
	opt := smallOptions()
	opt.Spares = 2
	l := mustOpen(t, fsys, opt)
	var all entries
	reused := 0
	for i := range 200 {
		p := fmt.Sprintf("%d %s", i, strings.Repeat("y", 100*(i%30)))
		all.add(put(t, l, p), p)
		if i%20 == 19 {
			if err := l.DropBefore(all.lsns[i-10]); err != nil {
				t.Fatal(err)
			}
		}
		if i%33 == 32 {
			check(t, l, all.lsns[i-5], all.after(all.lsns[i-5]))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, fsys, opt)
			check(t, l, all.lsns[i-5], all.after(all.lsns[i-5]))
		}
		if l.current.reused {
			reused++
		}
	}
	if reused < 50 {
		t.Errorf("only %d of 200 frames went to a file that was there", reused)
	}
	from := all.lsns[189]
	rest := all.after(from)
	n := 0
	err := l.Replay(from, func(lsn LSN, p []byte) error {
		for range 8 { // while it is read, it is dropped and others are written
			put(t, l, strings.Repeat("z", 3000))
		}
		if err := l.DropBefore(l.Durable()); err != nil {
			return err
		}
		if lsn != rest.lsns[n] || string(p) != rest.payloads[n] {
			t.Errorf("frame %d is %d %q", n, lsn, p)
		}
		n++
		return nil
	})
	if err != nil && !errors.Is(err, ErrTruncated) || n == 0 {
		t.Errorf("%d frames, then %v", n, err)
	}
}
