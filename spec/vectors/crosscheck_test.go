package vectors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// reference are vectors that the existing TypeScript client computed.
const reference = "../../../shared/fixtures/vectors.json"

// section reads one section of the reference, or skips the test without it.
func section[T any](t *testing.T, name string) T {
	t.Helper()
	text, err := os.ReadFile(reference)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the reference vectors are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(text, &sections); err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(sections[name], &out); err != nil {
		t.Fatalf("section %s: %v", name, err)
	}
	return out
}

// TestCrossCheckCoversTheReference fails when the reference has a section that
// nothing here looks at.
func TestCrossCheckCoversTheReference(t *testing.T) {
	text, err := os.ReadFile(reference)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the reference vectors are not here")
	}
	var sections map[string]json.RawMessage
	if err := errors.Join(err, json.Unmarshal(text, &sections)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"combineHashes", "hashObject", "hashString", "hlcCompare", "hlcFormat", "hlcParse", "hlcSequence",
		"lwwMerge", "lwwMerkle", "lwwMerkleSteps", "meta", "orMapMerkle", "orMapMergeSteps", "partitions", "pnCounterMerge", "ttl",
	}
	got := slices.DeleteFunc(slices.Sorted(maps.Keys(sections)), func(s string) bool {
		return strings.HasPrefix(s, "msgpack") // the encoding of values is tested where it is written
	})
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the reference has sections %q, checked are %q", got, want)
	}
}

func TestCrossCheckMeta(t *testing.T) {
	meta := section[struct{ PartitionCount, MerkleDepth int }](t, "meta")
	if meta.PartitionCount != partition.Count || meta.MerkleDepth != merkle.Depth {
		t.Errorf("%+v, here %d and %d", meta, partition.Count, merkle.Depth)
	}
}

func TestCrossCheckHashString(t *testing.T) {
	for _, c := range section[[]struct {
		Input      *string
		Hash       uint32
		Hex        string
		Partition  partition.ID
		MerklePath string
	}](t, "hashString") {
		if c.Input == nil {
			continue // UTF-16 units that no UTF-8 stands for
		}
		h := hash.Key(*c.Input)
		if h != c.Hash || fmt.Sprintf("%08x", h) != c.Hex {
			t.Errorf("hash of %q = %d, want %d", *c.Input, h, c.Hash)
		}
		if partition.Of(h) != c.Partition || merkle.LeafPath(merkle.LeafOf(h)) != c.MerklePath {
			t.Errorf("%q is in partition %d and leaf %s", *c.Input, partition.Of(h), merkle.LeafPath(merkle.LeafOf(h)))
		}
	}
}

func TestCrossCheckCombineHashes(t *testing.T) {
	for _, c := range section[[]struct {
		Input []uint32
		Hash  uint32
	}](t, "combineHashes") {
		if got := hash.Combine(c.Input...); got != c.Hash {
			t.Errorf("Combine(%v) = %d, want %d", c.Input, got, c.Hash)
		}
	}
}

// TestCrossCheckHashObject: objects are hashed as JSON with sorted fields, which
// is how encoding/json writes maps.
func TestCrossCheckHashObject(t *testing.T) {
	for _, c := range section[[]struct {
		Input any
		Hash  uint32
	}](t, "hashObject") {
		text, err := json.Marshal(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		if got := hash.Key(string(text)); got != c.Hash {
			t.Errorf("hash of %s = %d, want %d", text, got, c.Hash)
		}
	}
}

func TestCrossCheckPartitions(t *testing.T) {
	for _, c := range section[[]struct {
		Key       string
		Partition partition.ID
	}](t, "partitions") {
		if got := partition.Of(hash.Key(c.Key)); got != c.Partition {
			t.Errorf("partition of %q = %d, want %d", c.Key, got, c.Partition)
		}
	}
}

// TestCrossCheckHLCCompare uses the column for byte order: the other one has the
// client's collation, which depends on its locale.
func TestCrossCheckHLCCompare(t *testing.T) {
	for _, c := range section[[]struct {
		A, B          stamp
		ByteOrderSign int
	}](t, "hlcCompare") {
		if got := hlc.Compare(c.A.hlc(), c.B.hlc()); got != c.ByteOrderSign {
			t.Errorf("Compare(%v, %v) = %d, want %d", c.A, c.B, got, c.ByteOrderSign)
		}
	}
}

func TestCrossCheckHLCFormat(t *testing.T) {
	for _, c := range section[[]struct {
		Timestamp stamp
		String    string
	}](t, "hlcFormat") {
		if got := c.Timestamp.hlc().String(); got != c.String {
			t.Errorf("%v is %q, want %q", c.Timestamp, got, c.String)
		}
	}
}

// TestCrossCheckHLCParse: the client reads numbers as parseInt does; here they
// must be digits only.
func TestCrossCheckHLCParse(t *testing.T) {
	for _, c := range section[[]struct {
		Input  string
		OK     bool
		Result struct {
			Millis, Counter any
			NodeID          string
		}
	}](t, "hlcParse") {
		parts := strings.Split(c.Input, ":")
		strict := c.OK
		for _, number := range parts[:min(2, len(parts))] {
			_, err := strconv.ParseUint(number, 10, 64)
			strict = strict && err == nil
		}
		got, err := hlc.Parse(c.Input)
		if (err == nil) != strict {
			t.Errorf("Parse(%q) = %v, %v", c.Input, got, err)
		}
		if !strict {
			continue
		}
		if millis, counter := float64(got.Millis), float64(got.Counter); c.Result.Millis != millis || c.Result.Counter != counter || c.Result.NodeID != got.Node {
			t.Errorf("Parse(%q) = %v, want %v", c.Input, got, c.Result)
		}
	}
}

// TestCrossCheckHLCSequence: the client only warns of a remote clock that is too
// far ahead. Here it is refused, and what the client's clock then did is brought
// about by Resume.
func TestCrossCheckHLCSequence(t *testing.T) {
	seq := section[struct {
		NodeID string
		Steps  []struct {
			Op         string
			Clock      int64
			Remote     stamp
			Result     stamp
			StateAfter stamp
		}
	}](t, "hlcSequence")
	clock, refused := hlc.NewClock(seq.NodeID), 0
	for i, s := range seq.Steps {
		if s.Op == "now" {
			if got := stampOf(clock.Now(s.Clock)); got != s.Result {
				t.Errorf("step %d: Now(%d) = %v, want %v", i, s.Clock, got, s.Result)
			}
			continue
		}
		ok := clock.Update(s.Clock, s.Remote.hlc())
		if ok == (s.Remote.Millis-s.Clock > hlc.MaxDrift) {
			t.Errorf("step %d: Update accepted: %v", i, ok)
		}
		if !ok {
			refused++
			clock.Resume(s.StateAfter.hlc())
		}
		if got := clock.Last(); got.Millis != s.StateAfter.Millis || got.Counter != s.StateAfter.Counter {
			t.Errorf("step %d: Update(%d, %v) leaves %v, want %v", i, s.Clock, s.Remote, got, s.StateAfter)
		}
	}
	if refused != 1 {
		t.Errorf("%d updates were refused, want 1", refused)
	}
}

// byCollation reports whether the client orders these timestamps by its collation
// of node names and not as bytes: a tie between names that are not plain.
func byCollation(a, b stamp) bool {
	plain := func(r rune) bool { return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }
	return a.Millis == b.Millis && a.Counter == b.Counter &&
		strings.ContainsFunc(a.NodeID+b.NodeID, func(r rune) bool { return !plain(r) })
}

func TestCrossCheckLWWMerge(t *testing.T) {
	collated := 0
	for i, c := range section[[]struct {
		Local, Result *lwwRecord
		Remote        lwwRecord
		Accepted      bool
	}](t, "lwwMerge") {
		stored := ""
		if c.Local != nil {
			if byCollation(c.Local.Timestamp, c.Remote.Timestamp) {
				collated++
				continue // TestCrossCheckHLCCompare has the order that holds here
			}
			stored = string(crdt.AppendLWW(nil, c.Local.crdt(t)))
		}
		remote := string(crdt.AppendLWW(nil, c.Remote.crdt(t)))
		if got := crdt.AcceptLWW(stored, c.Remote.Timestamp.hlc()) > 0; got != c.Accepted {
			t.Errorf("case %d: accepted %v, want %v", i, got, c.Accepted)
		}
		if got, want := crdt.MergeLWW(stored, remote), string(crdt.AppendLWW(nil, c.Result.crdt(t))); got != want {
			t.Errorf("case %d: result %x, want %x", i, got, want)
		}
	}
	if collated > 1 {
		t.Errorf("%d cases were left out, 1 is known", collated)
	}
}

func TestCrossCheckLWWMerkle(t *testing.T) {
	for i, c := range section[[]struct {
		Records  []lwwEntry
		RootHash uint32
		Buckets  map[string]map[string]uint32
		Leaves   map[string]struct {
			Hash    uint32
			Entries map[string]uint32
		}
	}](t, "lwwMerkle") {
		h := lwwHistory{}
		for _, r := range c.Records {
			h.Steps = append(h.Steps, lwwStep{lwwEntry: r})
		}
		h.run(t)
		if h.Tree[0].Hash != c.RootHash {
			t.Errorf("case %d: root %d, want %d", i, h.Tree[0].Hash, c.RootHash)
		}
		buckets, leaves := map[string]map[string]uint32{"": {}}, 0
		for _, n := range h.Tree {
			if len(n.Path) == merkle.Depth {
				leaves++
				if want := c.Leaves[n.Path]; n.Hash != want.Hash || n.Keys != len(want.Entries) {
					t.Errorf("case %d: leaf %+v, want %+v", i, n, want)
				}
				continue
			}
			buckets[n.Path] = map[string]uint32{}
			for _, ch := range n.Children {
				buckets[n.Path][ch.Digit] = ch.Hash
			}
		}
		if leaves != len(c.Leaves) || !maps.EqualFunc(buckets, c.Buckets, maps.Equal) {
			t.Errorf("case %d: %d leaves and buckets %v, want %d and %v", i, leaves, buckets, len(c.Leaves), c.Buckets)
		}
		for _, r := range h.Records {
			want := c.Leaves[merkle.LeafPath(merkle.LeafOf(hash.Key(r.Key)))].Entries[r.Key]
			if got := crdt.LWWHash(r.Key, r.Record.Timestamp.hlc()); got != want {
				t.Errorf("case %d: entry hash of %q is %d, want %d", i, r.Key, got, want)
			}
		}
	}
}

func TestCrossCheckLWWMerkleSteps(t *testing.T) {
	var tree merkle.Tree
	states := map[string]string{}
	for i, s := range section[[]struct {
		Merge     *string
		Timestamp stamp
		Value     json.RawMessage
		Prune     *stamp
		RootHash  uint32
	}](t, "lwwMerkleSteps") {
		if s.Merge != nil {
			key, r := *s.Merge, lwwRecord{Value: s.Value, Timestamp: s.Timestamp}
			if crdt.AcceptLWW(states[key], r.Timestamp.hlc()) > 0 {
				tree.Update(hash.Key(key), crdt.LWWHashOf(key, states[key]), crdt.LWWHash(key, r.Timestamp.hlc()), 0)
				states[key] = string(crdt.AppendLWW(nil, r.crdt(t)))
			}
		}
		for key, state := range states {
			r, err := crdt.ParseLWW(state)
			if err != nil {
				t.Fatal(err)
			}
			if s.Prune != nil && r.Tombstone() && hlc.Compare(r.TS, s.Prune.hlc()) < 0 {
				tree.Update(hash.Key(key), crdt.LWWHashOf(key, state), 0, 0)
				delete(states, key)
			}
		}
		if tree.Root() != s.RootHash {
			t.Errorf("step %d: root %d, want %d", i, tree.Root(), s.RootHash)
		}
	}
}

func TestCrossCheckTTL(t *testing.T) {
	for _, c := range section[struct {
		Cases []struct {
			Millis, TTLMs, Now int64
			Visible            bool
		}
	}](t, "ttl").Cases {
		if got := !crdt.Expired(c.Millis, c.TTLMs, c.Now); got != c.Visible {
			t.Errorf("%+v: visible %v", c, got)
		}
	}
}

func TestCrossCheckPNCounterMerge(t *testing.T) {
	type pn struct{ P, N map[string]float64 }
	state := func(c pn) crdt.CounterState { return counter{c.P, c.N}.state(t) }
	for i, c := range section[[]struct {
		Local, Remote, Merged pn
		Value                 float64
	}](t, "pnCounterMerge") {
		got, _ := merge(t, state(c.Local), state(c.Remote))
		// The client keeps the zeros it had; here a count of 0 is none.
		if got != state(c.Merged) || got.Value() != c.Value {
			t.Errorf("case %d: merged to %+v with value %v", i, counterOf(got), got.Value())
		}
	}
}
