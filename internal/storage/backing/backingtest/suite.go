package backingtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Open opens the store that lies in one place. Called again after Close it
// opens the same store again, with all that was durable in it.
type Open func() (backing.Store, error)

// Run runs the suite. NewPlace returns a fresh, empty place each time; what
// must be cleaned up afterwards it leaves to t.
func Run(t *testing.T, newPlace func(t *testing.T) Open) {
	t.Helper()
	run(t, newPlace, func(bool) bool { return true })
}

// RunBehind runs the suite for a store that is written behind another, in
// batches: all of it but the atomicity of a checkpoint.
func RunBehind(t *testing.T, newPlace func(t *testing.T) Open) {
	t.Helper()
	run(t, newPlace, func(atomic bool) bool { return !atomic })
}

func run(t *testing.T, newPlace func(t *testing.T) Open, wanted func(atomic bool) bool) {
	t.Helper()
	for _, c := range cases {
		if !wanted(c.name == atomicity) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(newFixture(t, newPlace)) })
	}
}

// atomicity is the name of the case that looks at the store while it is written.
const atomicity = "a scan sees one checkpoint"

var cases = []struct {
	name string
	test func(*fixture)
}{
	{"a new store is empty", testEmpty},
	{"a row comes back as it was written", testRoundTrip},
	{"odd keys keep their order", testOrder},
	{"a scan keeps to its range", testRanges},
	{"a scan stops when told and goes on from Next", testSlices},
	{"a scan passes on an error", testScanError},
	{"a later checkpoint overwrites", testOverwrite},
	{"a delete removes", testDelete},
	{"rows of a megabyte come back", testBigRows},
	{"a bad checkpoint leaves nothing", testRefused},
	{"a context that ends leaves nothing", testCancelled},
	{"a mark never goes backwards", testMarkOrder},
	{"nothing is shared with the caller", testOwnership},
	{"one store streams into another", testCopy},
	{"clear removes its ranges and nothing else", testClear},
	{"reopening keeps everything", testReopen},
	{"a closed store says so", testClosed},
	{"maps are listed", testMaps},
	{"checkpoints are counted", testStats},
	{atomicity, testScanWhileApplying},
	{"concurrent checkpoints take turns", testConcurrentApply},
	{"a random history equals the model", testRandom},
}

// fixture is a store in its place, and what it should hold.
type fixture struct {
	*testing.T
	place func(t *testing.T) Open
	open  Open
	store backing.Store
	model Model
}

func newFixture(t *testing.T, newPlace func(t *testing.T) Open) *fixture {
	t.Helper()
	f := &fixture{T: t, place: newPlace, open: newPlace(t)}
	f.reopen()
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil && !errors.Is(err, backing.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

// reopen closes the store, if there is one, and opens it again.
func (f *fixture) reopen() {
	f.Helper()
	if f.store != nil {
		if err := f.store.Close(); err != nil {
			f.Fatalf("Close: %v", err)
		}
	}
	s, err := f.open()
	if err != nil {
		f.Fatalf("Open: %v", err)
	}
	f.store = s
}

// apply applies a checkpoint to the store and to the model.
func (f *fixture) apply(mark backing.Mark, writes ...backing.Write) {
	f.Helper()
	if err := f.store.Apply(f.Context(), slices.Values(writes), mark); err != nil {
		f.Fatalf("Apply: %v", err)
	}
	f.model.Apply(writes, mark)
}

// check holds the store against the model.
func (f *fixture) check() {
	f.Helper()
	if err := f.model.Check(f.Context(), f.store); err != nil {
		f.Fatal(err)
	}
}

// refuse expects an error of one kind.
func (f *fixture) refuse(what string, err, kind error) {
	f.Helper()
	if !errors.Is(err, kind) {
		f.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// put is a write of a state to a key in map m.
func put(key, state string) backing.Write {
	return backing.Write{Row: backing.Row{
		Key: backing.Key{Map: "m", Partition: 3, Hash: 0x1234_5678, Key: key}, Kind: 1, Seq: 1, State: []byte(state),
	}}
}

// del is a delete of a key in map m.
func del(key string) backing.Write {
	w := put(key, "")
	w.Delete = true
	return w
}

// at is a mark with nothing but an LSN.
func at(lsn uint64) backing.Mark { return backing.Mark{LSN: lsn} }
