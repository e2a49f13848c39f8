package sync_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
	"github.com/topgunbuild/topgun-go/internal/service/sync"
)

const (
	notes = "notes" // an LWW map
	tags  = "tags"  // an OR map
)

type harness struct {
	t        *testing.T
	world    *gridtest.World
	service  *sync.Service
	followed []string
	full     error // what following is answered with
}

// Follow implements sync.Follower.
func (h *harness) Follow(c *service.Caller, mapName string) error {
	if h.full == nil {
		h.followed = append(h.followed, fmt.Sprint(c.ID, " ", mapName))
	}
	return h.full
}

func newHarness(t *testing.T, opt gridtest.Options) *harness {
	t.Helper()
	h := &harness{t: t, world: gridtest.Open(t, opt)}
	var err error
	h.service, err = sync.New(t.Context(), h.world.Engine, h, service.Limits{KeyBytes: 32, ValueBytes: 64}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) handle(c *servicetest.Caller, m wire.Message) error {
	h.t.Helper()
	arrived, size := servicetest.Frame(h.t, m)
	return h.service.Handle(c.Caller, arrived, size)
}

func (h *harness) must(c *servicetest.Caller, m wire.Message) {
	h.t.Helper()
	if err := h.handle(c, m); err != nil {
		h.t.Fatalf("%s: %v", m.Type(), err)
	}
	h.world.Settle()
}

// replica is a client's copy of the two maps.
type replica struct {
	*servicetest.Caller

	h       *harness
	lww     map[string]string
	or      map[string]crdt.ORState
	asked   int // messages sent
	records int // received in leaves
}

func (h *harness) replica(id uint64) *replica {
	return &replica{Caller: servicetest.NewCaller(id, 1), h: h, lww: map[string]string{}, or: map[string]crdt.ORState{}}
}

func (r *replica) lwwTree() *merkle.Tree {
	t := &merkle.Tree{}
	for key, state := range r.lww {
		t.Update(hash.Key(key), 0, crdt.LWWHashOf(key, state), 1)
	}
	return t
}

func (r *replica) orTree() *merkle.Tree {
	t := &merkle.Tree{}
	for key, state := range r.or {
		t.Update(hash.Key(key), 0, state.Hash(key), 1)
	}
	return t
}

// differing lists the children below a path whose hashes are not ours. An OR
// walk looks at what is listed; an LWW walk as well.
func differing(t *merkle.Tree, path string, theirs *wire.Buckets) (out []string) {
	ours := map[int]uint32{}
	for _, c := range t.Children(path) {
		ours[strings.IndexByte("0123456789abcdef", c.Digit)] = c.Hash
	}
	for digit, h := range theirs.All() {
		if ours[digit] != h {
			out = append(out, path+string("0123456789abcdef"[digit]))
		}
	}
	return out
}

// walk synchronises one map until nothing is left to ask.
func (r *replica) walk(first wire.Message) {
	r.h.t.Helper()
	queue := []wire.Message{first}
	for len(queue) > 0 {
		r.asked++
		r.h.must(r.Caller, queue[0])
		queue = queue[1:]
		for _, m := range r.Take(r.h.t) {
			queue = append(queue, r.answer(m)...)
		}
	}
}

func (r *replica) answer(m wire.Message) (next []wire.Message) {
	r.h.t.Helper()
	switch m := m.(type) {
	case *wire.SyncRespRoot:
		if m.RootHash != r.lwwTree().Root() {
			next = append(next, &wire.MerkleReqBucket{MapName: m.MapName})
		}
	case *wire.SyncRespBuckets:
		for _, path := range differing(r.lwwTree(), m.Path, &m.Buckets) {
			next = append(next, &wire.MerkleReqBucket{MapName: m.MapName, Path: path})
		}
	case *wire.SyncRespLeaf:
		for _, rec := range m.Records {
			r.records++
			if merkle.LeafPath(merkle.LeafOf(hash.Key(rec.Key))) != m.Path {
				r.h.t.Errorf("%s is not below %s", rec.Key, m.Path)
			}
			v := rec.Record.Value
			if rec.Record.Tombstone() {
				v = nil
			}
			state := string(crdt.AppendLWW(nil, crdt.LWW{Value: v, TS: rec.Record.Timestamp, TTL: rec.Record.TTL}))
			r.lww[rec.Key] = crdt.MergeLWW(r.lww[rec.Key], state)
		}
	case *wire.ORMapSyncRespRoot:
		if m.RootHash != r.orTree().Root() {
			next = append(next, &wire.ORMapMerkleReqBucket{MapName: m.MapName})
		}
	case *wire.ORMapSyncRespBuckets:
		for _, path := range differing(r.orTree(), m.Path, &m.Buckets) {
			next = append(next, &wire.ORMapMerkleReqBucket{MapName: m.MapName, Path: path})
		}
		if len(m.Path) < merkle.Depth-1 {
			break
		}
		// What is in leaves that the server does not have is pushed unasked.
		listed := slices.Collect(digits(&m.Buckets))
		for _, c := range r.orTree().Children(m.Path) {
			if !slices.Contains(listed, strings.IndexByte("0123456789abcdef", c.Digit)) {
				next = append(next, r.push(m.MapName, m.Path+string(c.Digit)))
			}
		}
	case *wire.ORMapSyncRespLeaf:
		r.merge(m.Entries)
		if push := r.push(m.MapName, m.Path); len(push.Entries) > 0 {
			next = append(next, push)
		}
	default:
		r.h.t.Errorf("%d receives %s", r.ID, m.Type())
	}
	return next
}

func (r *replica) merge(entries []wire.ORMapEntry) {
	r.h.t.Helper()
	for _, e := range entries {
		r.records++
		for _, rec := range e.Records {
			r.add(e.Key, crdt.ORRecord{Tag: rec.Tag, Value: rec.Value, TS: rec.Timestamp, TTL: rec.TTL.Value, HasTTL: rec.TTL.Set})
		}
		for _, tag := range e.Tombstones {
			r.drop(e.Key, tag)
		}
	}
}

func (r *replica) add(key string, rec crdt.ORRecord) {
	r.h.t.Helper()
	next, _, changed, err := r.or[key].Add(nil, rec)
	if err != nil {
		r.h.t.Fatal(err)
	}
	if changed {
		r.or[key] = crdt.ORState(next)
	}
}

func (r *replica) drop(key, tag string) {
	r.h.t.Helper()
	next, _, _, changed, err := r.or[key].Remove(nil, tag, 1)
	if err != nil {
		r.h.t.Fatal(err)
	}
	if changed {
		r.or[key] = crdt.ORState(next)
	}
}

// push is everything that the replica holds below a leaf, each entry with all
// the tombstones that it has: so do clients.
func (r *replica) push(mapName, path string) *wire.ORMapPushDiff {
	m := &wire.ORMapPushDiff{MapName: mapName}
	var dead []string
	for _, s := range r.or {
		for tag := range s.Tombstones() {
			dead = append(dead, tag)
		}
	}
	for key, s := range r.or {
		if merkle.LeafPath(merkle.LeafOf(hash.Key(key))) != path {
			continue
		}
		e := wire.ORMapEntry{Key: key, Tombstones: dead}
		for rec := range s.Records() {
			e.Records = append(e.Records, wire.ORRecord{Value: rec.Value, Timestamp: rec.TS, Tag: rec.Tag})
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

func (r *replica) sync() {
	r.h.t.Helper()
	r.walk(&wire.SyncInit{MapName: notes})
	r.walk(&wire.ORMapSyncInit{MapName: tags, RootHash: r.orTree().Root()})
}

// root is that of the grid's tree.
func (h *harness) root(mapName string) (root uint32) {
	h.t.Helper()
	h.world.Engine.Tree(mapName, "", func(t *merkle.Tree, err error) {
		if err != nil {
			h.t.Error(err)
		}
		root = t.Root()
	})
	h.world.Settle()
	return root
}

// TestReplicasAgree is ROOTS-AGREE: random histories of both kinds of maps on the
// grid, and of the OR map in replicas that were away; after synchronising once
// more than there are replicas, everybody has the grid's roots and states.
func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed+1, 3))
		h := newHarness(t, gridtest.Options{Null: true, Engine: engine.Options{Lanes: 3}})
		replicas := []*replica{h.replica(1), h.replica(2)}
		key := func() string { return fmt.Sprint("k", rng.IntN(50)) }
		for n := range 200 {
			ts := gridtest.At(int64(n), "grid")
			switch rng.IntN(8) {
			case 0, 1:
				h.world.Write(t, gridtest.Put(notes, key(), gridtest.Int(n), ts))
			case 2:
				h.world.Write(t, gridtest.Put(notes, key(), nil, ts))
			case 3, 4:
				h.world.Write(t, gridtest.Add(tags, key(), gridtest.Int(n), ts))
			case 5:
				r := replicas[rng.IntN(2)]
				ts.Node = fmt.Sprint("r", r.ID)
				r.add(key(), crdt.ORRecord{Tag: ts.String(), Value: gridtest.Int(n), TS: ts})
			case 6:
				// A removal travels as an operation of its own, behind its addition.
				r := replicas[rng.IntN(2)]
				k := key()
				for rec := range r.or[k].Records() {
					r.drop(k, rec.Tag)
					h.world.Write(t, gridtest.Drop(tags, k, rec.Tag))
					break
				}
			case 7:
				if rng.IntN(5) == 0 {
					replicas[rng.IntN(2)].sync()
				}
			}
		}
		for range 3 {
			for _, r := range replicas {
				r.sync()
			}
		}
		for _, r := range replicas {
			if got, want := r.lwwTree().Root(), h.root(notes); got != want {
				t.Errorf("seed %d: %d has root %08x of the LWW map, the grid %08x", seed+1, r.ID, got, want)
			}
			if got, want := r.orTree().Root(), h.root(tags); got != want {
				t.Errorf("seed %d: %d has root %08x of the OR map, the grid %08x", seed+1, r.ID, got, want)
			}
			for k, state := range r.lww {
				if got, _ := h.world.Read(t, notes, k); got != state {
					t.Errorf("seed %d: %d holds %x of %s, the grid %x", seed+1, r.ID, state, k, got)
				}
			}
			for k, state := range r.or {
				got, _ := h.world.Read(t, tags, k)
				if a, b := live(crdt.ORState(got)), live(state); a != b {
					t.Errorf("seed %d: %d holds %s of %s, the grid %s", seed+1, r.ID, b, k, a)
				}
			}
		}
	}
}

func live(s crdt.ORState) string {
	var out []string
	for r := range s.Records() {
		out = append(out, r.Tag)
	}
	return strings.Join(out, " ")
}

// TestAReconnectCostsWhatDiffers is TREE-MAINTAINED: with two thousand records
// and one that differs, five questions are asked and one leaf is read; with
// none, one.
func TestAReconnectCostsWhatDiffers(t *testing.T) {
	h := newHarness(t, gridtest.Options{Null: true})
	for i := range 2000 {
		h.world.Write(t, gridtest.Put(notes, fmt.Sprint("k", i), gridtest.Int(i), gridtest.At(1, "x")))
	}
	r := h.replica(1)
	r.walk(&wire.SyncInit{MapName: notes})
	if len(r.lww) != 2000 || r.records != 2000 {
		t.Fatalf("%d records are held, %d were received", len(r.lww), r.records)
	}
	r.asked, r.records = 0, 0
	r.walk(&wire.SyncInit{MapName: notes})
	if r.asked != 1 || r.records != 0 {
		t.Errorf("with nothing new: %d questions, %d records", r.asked, r.records)
	}
	h.world.Write(t, gridtest.Put(notes, "k7", gridtest.Int(0), gridtest.At(2, "x")))
	r.asked, r.records = 0, 0
	r.walk(&wire.SyncInit{MapName: notes})
	inLeaf := 0
	for key := range r.lww {
		if merkle.LeafOf(hash.Key(key)) == merkle.LeafOf(hash.Key("k7")) {
			inLeaf++
		}
	}
	if r.asked != 5 || r.records != inLeaf {
		t.Errorf("with one new: %d questions, %d records of %d in its leaf", r.asked, r.records, inLeaf)
	}
}

// TestWhoBeginsFollows: both kinds, every time; not the server's own maps, and
// not when there is no room.
func TestWhoBeginsFollows(t *testing.T) {
	h := newHarness(t, gridtest.Options{Null: true})
	r := h.replica(1)
	h.must(r.Caller, &wire.SyncInit{MapName: notes})
	h.must(r.Caller, &wire.ORMapSyncInit{MapName: tags})
	h.must(r.Caller, &wire.SyncInit{MapName: "__topgun_devices"})
	if got := strings.Join(h.followed, ", "); got != "1 notes, 1 tags" {
		t.Errorf("followed are %s", got)
	}
	r.Take(t)
	h.full = service.ErrBusy
	if err := h.handle(r.Caller, &wire.SyncInit{MapName: notes}); !errors.Is(err, service.ErrBusy) {
		t.Errorf("without room: %v", err)
	}
	h.world.Settle()
	if got := r.Take(t); len(got) != 0 {
		t.Errorf("without room: %s", servicetest.Types(got))
	}
}

// TestWhatIsNotShown is the table of maps that look empty: unknown ones, those of
// another kind, and the server's own.
func TestWhatIsNotShown(t *testing.T) {
	h := newHarness(t, gridtest.Options{Null: true})
	h.world.Write(t,
		gridtest.Put(notes, "k", gridtest.Int(1), gridtest.At(1, "x")), gridtest.Add(tags, "k", gridtest.Int(1), gridtest.At(1, "x")),
		gridtest.Put("__topgun_devices", "k", gridtest.Int(1), gridtest.At(1, "x")), gridtest.Add("__topgun_sets", "k", gridtest.Int(1), gridtest.At(1, "x")))
	leaf := merkle.LeafPath(merkle.LeafOf(hash.Key("k")))
	r := h.replica(1)
	for _, mapName := range []string{"unheard of", tags, "__topgun_devices"} {
		h.must(r.Caller, &wire.SyncInit{MapName: mapName})
		if m := servicetest.One[*wire.SyncRespRoot](t, r.Caller); m.RootHash != 0 || m.MapName != mapName || m.Timestamp.IsZero() {
			t.Errorf("%s: %+v", mapName, m)
		}
		h.must(r.Caller, &wire.MerkleReqBucket{MapName: mapName})
		if m := servicetest.One[*wire.SyncRespBuckets](t, r.Caller); slices.Collect(digits(&m.Buckets)) != nil {
			t.Errorf("%s: %+v", mapName, m)
		}
		h.must(r.Caller, &wire.MerkleReqBucket{MapName: mapName, Path: leaf})
		if m := servicetest.One[*wire.SyncRespLeaf](t, r.Caller); len(m.Records) != 0 || m.Path != leaf {
			t.Errorf("%s: %+v", mapName, m)
		}
	}
	for _, mapName := range []string{"unheard of", notes, "__topgun_sets"} {
		h.must(r.Caller, &wire.ORMapSyncInit{MapName: mapName})
		if m := servicetest.One[*wire.ORMapSyncRespRoot](t, r.Caller); m.RootHash != 0 {
			t.Errorf("%s: %+v", mapName, m)
		}
		h.must(r.Caller, &wire.ORMapMerkleReqBucket{MapName: mapName, Path: leaf})
		if m := servicetest.One[*wire.ORMapSyncRespLeaf](t, r.Caller); len(m.Entries) != 0 {
			t.Errorf("%s: %+v", mapName, m)
		}
		h.must(r.Caller, &wire.ORMapDiffRequest{MapName: mapName, Keys: []string{"k"}})
		if m := servicetest.One[*wire.ORMapDiffResponse](t, r.Caller); len(m.Entries) != 1 || len(m.Entries[0].Records) != 0 {
			t.Errorf("%s: %+v", mapName, m)
		}
	}
	// What is there is shown under its own kind.
	h.must(r.Caller, &wire.ORMapDiffRequest{MapName: tags, Keys: []string{"none", "k"}})
	m := servicetest.One[*wire.ORMapDiffResponse](t, r.Caller)
	if len(m.Entries) != 2 || m.Entries[0].Key != "none" || len(m.Entries[0].Records) != 0 || m.Entries[1].Key != "k" || len(m.Entries[1].Records) != 1 {
		t.Errorf("%+v", m)
	}
	h.must(r.Caller, &wire.ORMapDiffRequest{MapName: tags})
	if m := servicetest.One[*wire.ORMapDiffResponse](t, r.Caller); len(m.Entries) != 0 {
		t.Errorf("%+v", m)
	}
}

func digits(b *wire.Buckets) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for digit := range b.All() {
			if !yield(digit) {
				return
			}
		}
	}
}

// TestAnORWalkListsEveryDigit above the leaves, so that a client finds what only
// it has.
func TestAnORWalkListsEveryDigit(t *testing.T) {
	h := newHarness(t, gridtest.Options{Null: true})
	r := h.replica(1)
	for path, want := range map[string]int{"": 16, "a": 16, "ab": 0} {
		h.must(r.Caller, &wire.ORMapMerkleReqBucket{MapName: tags, Path: path})
		m := servicetest.One[*wire.ORMapSyncRespBuckets](t, r.Caller)
		if got := len(slices.Collect(digits(&m.Buckets))); got != want || m.Path != path {
			t.Errorf("below %q are %d digits, want %d", path, got, want)
		}
	}
}

// TestBadPathsAreRefused by name.
func TestBadPathsAreRefused(t *testing.T) {
	h := newHarness(t, gridtest.Options{Null: true})
	r := h.replica(1)
	for _, path := range []string{"x", "A", "0123", "é", " "} {
		for _, m := range []wire.Message{&wire.MerkleReqBucket{MapName: notes, Path: path}, &wire.ORMapMerkleReqBucket{MapName: notes, Path: path}} {
			var e *service.Error
			if err := h.handle(r.Caller, m); !errors.As(err, &e) || e.Code != wire.CodeInvalidField || e.Request != notes {
				t.Errorf("%s below %q: %v", m.Type(), path, err)
			}
		}
	}
}

// TestAReadThatFailsEndsTheSession: no answer would be true.
func TestAReadThatFailsEndsTheSession(t *testing.T) {
	leaf := "abc"
	for _, m := range []wire.Message{
		&wire.SyncInit{MapName: notes}, &wire.MerkleReqBucket{MapName: notes}, &wire.MerkleReqBucket{MapName: notes, Path: leaf},
		&wire.ORMapDiffRequest{MapName: tags, Keys: []string{"k", "l"}},
		&wire.ORMapPushDiff{MapName: tags, Entries: []wire.ORMapEntry{{Key: "k", Records: []wire.ORRecord{{Value: gridtest.Int(1), Timestamp: gridtest.At(1, "x"), Tag: "t"}}}}},
	} {
		h := newHarness(t, gridtest.Options{})
		h.world.Write(t, gridtest.Add(tags, "k", gridtest.Int(1), gridtest.At(1, "x")))
		r := h.replica(1)
		for i := range 40 {
			h.world.Do(engine.Durable, gridtest.Put(notes, fmt.Sprint("k", i), gridtest.Int(i), gridtest.At(1, "x")))
		}
		if err := h.handle(r.Caller, m); err != nil {
			t.Fatal(err)
		}
		h.world.StepActors()
		h.world.FailSyncs(1)
		h.world.Settle()
		if why := r.Closed(); why == nil || why.Code != wire.CloseTryAgainLater {
			t.Errorf("%s: closed with %v", m.Type(), why)
		}
		if e := servicetest.One[*wire.Error](t, r.Caller); e.Code != int64(wire.CodeUnavailable.Number()) {
			t.Errorf("%s: %+v", m.Type(), e)
		}
		if ops, bytes := h.world.Engine.Credit.Used(); ops != 0 || bytes != 0 {
			t.Errorf("%s: %d operations of %d bytes count as under way", m.Type(), ops, bytes)
		}
	}
}

// TestOtherRequestsGoOn while a device waits to be remembered, which may be for as
// long as the disk is away.
func TestOtherRequestsGoOn(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	h.world.Write(t, gridtest.Put(notes, "k", gridtest.Int(1), gridtest.At(1, "x")))
	r := h.replica(1)
	for _, m := range []wire.Message{
		&wire.ORMapSyncInit{MapName: tags}, &wire.SyncInit{MapName: notes},
		&wire.MerkleReqBucket{MapName: notes}, &wire.MerkleReqBucket{MapName: notes, Path: "0"}, &wire.ORMapDiffRequest{MapName: tags},
	} {
		if err := h.handle(r.Caller, m); err != nil {
			t.Errorf("%s: %v", m.Type(), err)
		}
		h.world.StepActors() // nothing is synced
	}
	h.world.Settle()
	if got := servicetest.Types(r.Take(t)); len(got) != 5 {
		t.Errorf("sent %q", got)
	}
}

// TestWhatIsPushed is the table of ORMAP_PUSH_DIFF: records are added; of the
// tombstones only those are taken whose tag the key holds; what is refused is
// told, and the rest is merged; nothing is acknowledged.
func TestWhatIsPushed(t *testing.T) {
	rec := func(tag string) wire.ORRecord {
		return wire.ORRecord{Value: gridtest.Int(1), Timestamp: gridtest.At(1, "x"), Tag: tag}
	}
	long := strings.Repeat("k", 40)
	for _, c := range []struct {
		name    string
		mapName string
		entries []wire.ORMapEntry
		live    string
		dead    int
		code    wire.Code
	}{
		{name: "nothing", mapName: tags, live: "held"},
		{name: "a record", mapName: tags, entries: []wire.ORMapEntry{{Key: "k", Records: []wire.ORRecord{rec("a")}}}, live: "a held"},
		{name: "the end of what is held", mapName: tags, entries: []wire.ORMapEntry{{Key: "k", Tombstones: []string{"held"}}}, dead: 1},
		{name: "the end of something else", mapName: tags, entries: []wire.ORMapEntry{{Key: "k", Tombstones: []string{"elsewhere", "unheard"}}}, live: "held"},
		{name: "a record and its end", mapName: tags, entries: []wire.ORMapEntry{{Key: "k", Records: []wire.ORRecord{rec("a")}, Tombstones: []string{"a"}}}, live: "held", dead: 1},
		{name: "a key that is too long, and another", mapName: tags, entries: []wire.ORMapEntry{{Key: long, Records: []wire.ORRecord{rec("a")}}, {Key: "k", Records: []wire.ORRecord{rec("b")}}}, live: "b held", code: wire.CodeTooLarge},
		{name: "to another kind of map", mapName: notes, entries: []wire.ORMapEntry{{Key: "k", Records: []wire.ORRecord{rec("a")}}}, live: "held", code: wire.CodeMapTypeMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, gridtest.Options{})
			held, elsewhere := gridtest.Add(tags, "k", gridtest.Int(1), gridtest.At(1, "x")), gridtest.Add(tags, "l", gridtest.Int(1), gridtest.At(1, "x"))
			held.Tag, elsewhere.Tag = "held", "elsewhere"
			h.world.Write(t, held, elsewhere, gridtest.Put(notes, "k", gridtest.Int(1), gridtest.At(1, "x")))
			r := h.replica(1)
			h.must(r.Caller, &wire.ORMapPushDiff{MapName: c.mapName, Entries: c.entries})
			state, _ := h.world.Read(t, tags, "k")
			if got, dead := live(crdt.ORState(state)), crdt.ORState(state).Dead(); got != c.live || dead != c.dead {
				t.Errorf("the key holds %q and %d tombstones, want %q and %d", got, dead, c.live, c.dead)
			}
			if ops, bytes := h.world.Engine.Credit.Used(); ops != 0 || bytes != 0 {
				t.Errorf("%d operations of %d bytes count as under way", ops, bytes)
			}
			if c.code == 0 {
				if got := r.Take(t); len(got) != 0 {
					t.Errorf("answered with %s", servicetest.Types(got))
				}
				return
			}
			if e := servicetest.One[*wire.Error](t, r.Caller); e.Code != int64(c.code.Number()) {
				t.Errorf("%+v, want %s", e, c.code.Name())
			}
		})
	}
	h := newHarness(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MaxOps: 1}})
	r := h.replica(1)
	var e *service.Error
	if err := h.handle(r.Caller, &wire.ORMapPushDiff{MapName: "__topgun_x"}); !errors.As(err, &e) || e.Code != wire.CodeReservedMap {
		t.Errorf("to a map of the server: %v", err)
	}
	one := &wire.ORMapPushDiff{MapName: tags, Entries: []wire.ORMapEntry{{Key: "k", Records: []wire.ORRecord{rec("a")}}}}
	if err := h.handle(r.Caller, one); err != nil {
		t.Fatal(err)
	}
	if err := h.handle(r.Caller, one); !errors.Is(err, service.ErrBusy) {
		t.Errorf("without room: %v", err)
	}
	h.world.Settle()
	if r.Woken() != 1 {
		t.Errorf("told to come again %d times", r.Woken())
	}
}

// TestSetsOfASessionAreLimited: what a session makes the server remember is
// bounded.
func TestSetsOfASessionAreLimited(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	c := servicetest.NewCaller(1, 1)
	for i := range 1000 {
		h.must(c, &wire.ORMapSyncInit{MapName: fmt.Sprint("set ", i)})
	}
	var refused *service.Error
	if err := h.handle(c, &wire.ORMapSyncInit{MapName: "one more"}); !errors.As(err, &refused) || refused.Code != wire.CodeTooLarge {
		t.Errorf("one more is answered with %v", err)
	}
	h.must(c, &wire.ORMapSyncInit{MapName: "set 7"})
	h.service.Leave(c.Caller)
	h.must(servicetest.NewCaller(2, 1), &wire.ORMapSyncInit{MapName: "one more"})
}

// TestAClockThatIsSetBack: who has not confirmed a removal is still asked to.
func TestAClockThatIsSetBack(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	c := servicetest.NewCaller(1, 1)
	h.must(c, &wire.ORMapSyncInit{MapName: tags})
	for i, step := range []time.Duration{48 * time.Hour, -48 * time.Hour, 2 * time.Minute} {
		h.world.Clock.Advance(step)
		h.world.Write(t, gridtest.Drop(tags, "k", fmt.Sprint("tag ", i)))
		c.Take(t)
		h.service.Sweep()
		h.world.Settle()
		if got := servicetest.Types(c.Take(t)); len(got) != 1 {
			t.Errorf("%s later the session is sent %v", step, got)
		}
	}
}
