package log

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var consumerSeeds = flag.Int("consumer-seeds", 60, "histories of consumers to run")

func mustConsumer(tb testing.TB, l *Log, name string) *Consumer {
	tb.Helper()
	c, err := l.Consumer(name)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestConsumersHoldTheLog: log is dropped up to where both store and consumers
// have it, and the place is there after a restart.
func TestConsumersHoldTheLog(t *testing.T) {
	disk := crashable()
	l := mustOpen(t, disk, smallOptions())
	c := mustConsumer(t, l, "copy")
	if _, ok := c.Position(); ok {
		t.Fatal("a new consumer has a place")
	}
	begin := c.Restart()
	if _, ok := c.Position(); ok {
		t.Fatal("a consumer whose copy is not acknowledged has a place")
	}
	c.Acknowledge(begin)
	var want entries
	for i := range 40 {
		p := fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))
		want.add(put(t, l, p), p)
	}
	if err := l.DropBefore(l.Durable()); err != nil {
		t.Fatal(err)
	}
	if l.Retained() != 0 {
		t.Errorf("a start would replay %d bytes", l.Retained())
	}
	check(t, l, begin, want)
	middle := want.lsns[19]
	c.Acknowledge(middle)
	c.Acknowledge(begin) // never back
	if err := l.DropBefore(l.Durable()); err != nil {
		t.Fatal(err)
	}
	if err := l.Replay(begin, func(LSN, []byte) error { return nil }); !errors.Is(err, ErrTruncated) {
		t.Errorf("what everybody has is kept: %v", err)
	}
	if got := l.Consumers(); len(got) != 1 || got[0].At != middle || !got[0].Whole || got[0].LagBytes != l.Bytes(middle) || got[0].LagBytes < 20_000 {
		t.Errorf("consumers: %+v", got)
	}
	c.Acknowledge(want.lsns[20])
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, disk.CrashClone(vfs.CrashCloneCfg{}), smallOptions())
	c = mustConsumer(t, l, "copy")
	if at, ok := c.Position(); !ok || at != want.lsns[20] {
		t.Errorf("after a restart at %d, %t; want %d", at, ok, want.lsns[20])
	}
	check(t, l, want.lsns[20], want.after(want.lsns[20]))
	if !l.Forget("copy") || l.Forget("copy") {
		t.Error("forgotten not once")
	}
	if err := l.DropBefore(l.Durable()); err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().Segments; n != 1 {
		t.Errorf("%d segments are left for nobody", n)
	}
}

// TestAConsumerThatIsAwayTooLongLosesItsPlace: the log kept for it alone stays
// within its bound, others keep their place, and it begins anew.
func TestAConsumerThatIsAwayTooLongLosesItsPlace(t *testing.T) {
	opt := smallOptions()
	opt.ConsumerBytes = 24 << 10
	l := mustOpen(t, vfs.NewMem(), opt)
	away, near := mustConsumer(t, l, "away"), mustConsumer(t, l, "near")
	away.Acknowledge(away.Restart())
	near.Acknowledge(near.Restart())
	for range 100 {
		near.Acknowledge(put(t, l, strings.Repeat("x", 1000)))
		if err := l.DropBefore(l.Durable()); err != nil {
			t.Fatal(err)
		}
		if n := l.Bytes(0); n > opt.ConsumerBytes+2*opt.SegmentBytes {
			t.Fatalf("%d bytes are retained", n)
		}
	}
	if _, ok := away.Position(); ok {
		t.Error("a consumer that is far behind has its place still")
	}
	if at, ok := near.Position(); !ok || at != l.Durable() {
		t.Error("another one has lost its place")
	}
	if n := l.Stats().LostConsumers; n != 1 {
		t.Errorf("%d places were lost", n)
	}
	away.Acknowledge(l.Durable()) // too late
	if _, ok := away.Position(); ok {
		t.Error("an acknowledgement gives a place")
	}
	away.Hold(1)
	if _, ok := away.Position(); ok {
		t.Error("it has a place that the log does not reach back to")
	}
	held := l.segments[0].prevEnd
	away.Hold(held)
	if at, ok := away.Position(); !ok || at != held || l.Consumers()[0].LagBytes == 0 {
		t.Errorf("a place that it has kept itself: %+v", l.Consumers())
	}
	away.Acknowledge(away.Restart())
	if at, ok := away.Position(); !ok || at != l.Durable() {
		t.Error("it cannot begin anew")
	}
}

// TestPlacesThatCannotBeBelieved are no places: consumers begin anew, the log
// opens.
func TestPlacesThatCannotBeBelieved(t *testing.T) {
	good := encodePlaces(7, []hold{{"a", 5, true}, {"bc", 9, false}})
	if got, err := decodePlaces(good, 7); err != nil || len(got) != 2 || got[1] != (hold{"bc", 9, false}) {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := decodePlaces(good, 8); !errors.Is(err, errBadPlaces) {
		t.Errorf("those of another log: %v", err)
	}
	for i := range good {
		if _, err := decodePlaces(good[:i], 7); !errors.Is(err, errBadPlaces) {
			t.Errorf("cut at %d: %v", i, err)
		}
		bad := slices.Clone(good)
		bad[i] ^= 1
		if _, err := decodePlaces(bad, 7); !errors.Is(err, errBadPlaces) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	disk := vfs.NewMem()
	l := mustOpen(t, disk, smallOptions())
	c := mustConsumer(t, l, "c")
	c.Acknowledge(c.Restart())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := disk.OpenReadWrite(testDir+"/"+placesName, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("rot"), 20); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, disk, smallOptions())
	if got := l.Consumers(); len(got) != 0 {
		t.Errorf("consumers: %+v", got)
	}
}

func TestConsumersAreBounded(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), smallOptions())
	for _, name := range []string{"", strings.Repeat("n", maxConsumerName+1)} {
		if _, err := l.Consumer(name); !errors.Is(err, ErrConsumer) {
			t.Errorf("a name of %d bytes is taken", len(name))
		}
	}
	for i := range maxConsumers {
		mustConsumer(t, l, fmt.Sprint(i)).Restart()
	}
	if _, err := l.Consumer("more"); !errors.Is(err, ErrConsumer) {
		t.Error("one too many is taken")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := readPlaces(l.fs, l.dir, l.id); err != nil || len(got) != maxConsumers {
		t.Errorf("%d places on disk, %v", len(got), err)
	}
}

// TestConsumersMissNothing runs random histories with crashes and failing files:
// whoever has a place can read everything behind it, and the place is never
// beyond what was acknowledged.
func TestConsumersMissNothing(t *testing.T) {
	for seed := range *consumerSeeds {
		if err := consumerHistory(uint64(seed) + 1); err != nil {
			t.Fatalf("seed %d: %v", seed+1, err)
		}
	}
}

func consumerHistory(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	disk := crashable()
	var w *world
	var l *Log
	begin := func() (err error) {
		w = newWorld(disk)
		l, err = Open(w, testDir, stillClock{}, smallOptions())
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	var all entries
	acked := map[string]LSN{}
	names := []string{"a", "b"}
	for range 150 {
		switch rng.IntN(12) {
		case 0: // power cut
			disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			if err := begin(); err != nil {
				return err
			}
		case 1: // orderly restart
			if err := l.Close(); err != nil {
				return err
			}
			if err := begin(); err != nil {
				return err
			}
		case 2, 3: // drop, with files that fail now and then
			if rng.IntN(3) == 0 {
				w.ask = func(kind, string) verdict { return verdict(rng.IntN(int(refuse) + 1)) }
			}
			_ = l.DropBefore(l.Durable())
			w.ask = nil
		case 4, 5, 6:
			name := names[rng.IntN(len(names))]
			c, err := l.Consumer(name)
			if err != nil {
				return err
			}
			at, ok := c.Position()
			if !ok {
				at = c.Restart()
			} else if rest := all.after(at); len(rest.lsns) > 0 {
				at = rest.lsns[rng.IntN(len(rest.lsns))]
			}
			c.Acknowledge(at)
			acked[name] = max(acked[name], at)
		default:
			p := strings.Repeat("x", rng.IntN(2000))
			lsn, err := l.Append(l.Generation(), []byte(p))
			if err != nil {
				return err
			}
			if _, err := l.Step(); err != nil {
				return err
			}
			all.add(lsn, p)
		}
		for _, c := range l.Consumers() {
			if !c.Whole {
				continue
			}
			if c.At > acked[c.Name] {
				return fmt.Errorf("%s stands at %d, acknowledged was %d", c.Name, c.At, acked[c.Name])
			}
			var got entries
			err := l.Replay(c.At, func(lsn LSN, p []byte) error { got.add(lsn, string(p)); return nil })
			if err != nil {
				return fmt.Errorf("read on from %d: %w", c.At, err)
			}
			if want := all.after(c.At); !got.equal(want) {
				return fmt.Errorf("behind %d are %v, want %v", c.At, got, want)
			}
		}
	}
	return nil
}
