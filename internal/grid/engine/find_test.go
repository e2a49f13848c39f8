package engine_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// seeker looks for records with the help of indexes while they change.
type seeker struct {
	*gridtest.World
	t     *testing.T
	rng   *rand.Rand
	inbox *feed.Inbox
	time  int64
	model map[string]value.Raw // what each key holds; nil values are left out
}

func newSeeker(t *testing.T, rng *rand.Rand, memory int) *seeker {
	t.Helper()
	opt := gridtest.Options{Engine: engine.Options{MemoryBytes: memory, IndexRows: 3}}
	s := &seeker{World: gridtest.Open(t, opt), t: t, rng: rng, model: map[string]value.Raw{}}
	s.join()
	return s
}

// join follows the changes and has the definitions of indexes read.
func (s *seeker) join() {
	s.inbox = s.Feed.Follow(1<<20, actor.NewBell())
	s.Engine.Indexes.Load(nil, nil)
	s.Settle()
}

// document is a random document that leaves an index something to tell apart.
func (s *seeker) document() value.Raw {
	doc := map[string]any{"a": s.rng.IntN(4), "b": string(rune('x' + s.rng.IntN(3)))}
	if s.rng.IntN(3) == 0 {
		doc["c"] = []any{s.rng.IntN(3), s.rng.IntN(3)}
	}
	if s.rng.IntN(8) == 0 {
		delete(doc, "a")
	}
	doc["pad"] = fmt.Sprintf("%0*d", 100+s.rng.IntN(400), 0)
	v, err := value.FromAny(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

const sought = 60

func (s *seeker) write(n int) {
	for range n {
		s.time++
		key := fmt.Sprint("k", s.rng.IntN(sought))
		var doc value.Raw
		if s.rng.IntN(5) > 0 {
			doc = s.document()
		}
		s.Do(engine.Durable, gridtest.Put("m", key, doc, gridtest.At(s.time, "c")))
		if s.model[key] = doc; doc == nil {
			delete(s.model, key)
		}
	}
}

var definitions = []index.Definition{
	{Map: "m", Kind: index.Hash, Fields: []string{"a"}},
	{Map: "m", Kind: index.Ordered, Fields: []string{"a", "b"}},
	{Map: "m", Kind: index.Ordered, Fields: []string{"b"}},
	{Map: "m", Kind: index.Inverted, Fields: []string{"c"}},
}

// toggle makes or drops an index.
func (s *seeker) toggle() {
	d := definitions[s.rng.IntN(len(definitions))]
	x := s.Engine.Indexes
	done := 0
	note := func(error) { done++ }
	if s.rng.IntN(3) == 0 {
		x.Drop("m", d.Fields, note)
	} else {
		x.Create(d, note)
	}
	for range 60 { // the building is under way while records change
		if s.StepRandom(s.rng); s.rng.IntN(4) == 0 {
			s.write(1)
		}
	}
	s.Settle()
	if done != 1 {
		s.t.Fatalf("an index was answered for %d times", done)
	}
}

func (s *seeker) question() access.Question {
	lit := func(v any) value.Raw {
		b, err := value.FromAny(v)
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	n := s.rng.IntN(4)
	leaves := []*predicate.Node{
		{Op: predicate.OpEq, Attribute: "a", Value: lit(n)},
		{Op: predicate.OpGt, Attribute: "b", Value: lit("x")},
		{Op: predicate.OpContains, Attribute: "c", Value: lit(n)},
		{Op: predicate.OpIn, Attribute: "a", Value: lit([]any{n, n + 1})},
		{Op: predicate.OpIn, Attribute: predicate.KeyAttribute, Value: lit([]any{"k1", "k2", "k3", "none"})},
		{Op: predicate.OpIsNull, Attribute: "a"},
		predicate.Or(&predicate.Node{Op: predicate.OpEq, Attribute: "a", Value: lit(n)}, &predicate.Node{Op: predicate.OpEq, Attribute: "b", Value: lit("y")}),
	}
	q := access.Question{Node: predicate.And(leaves[s.rng.IntN(len(leaves))])}
	if s.rng.IntN(2) == 0 {
		q.Node.Children = append(q.Node.Children, leaves[s.rng.IntN(len(leaves))])
	}
	q.Indexes = s.Engine.Indexes.Of("m")
	return q
}

// seek answers a question on every lane, writing between the slices, and returns
// what it has found; used says whether an index led to it.
func (s *seeker) seek(q access.Question) (got map[string]string, used bool) {
	match, err := predicate.Compile(q.Node, predicate.Env{})
	if err != nil {
		s.t.Fatal(err)
	}
	holds := func(key, state string) bool {
		v := records.ValueOf(state)
		return v != nil && match.Match(key, v)
	}
	got = map[string]string{}
	at := make([]engine.FoundAt, s.Engine.Lanes())
	paths := access.Paths(q)
	ask := func(lane int) {
		s.Engine.Find(engine.FindRequest{
			Map: "m", Lane: lane, Paths: paths, From: at[lane], Budget: 1 + s.rng.IntN(6), Keep: holds, Find: s, To: s.inbox,
		})
	}
	s.inbox.Take()
	left := len(at)
	for lane := range at {
		ask(lane)
	}
	for steps := 0; left > 0; steps++ {
		if steps > 100_000 {
			s.t.Fatal("the search does not end")
		}
		if s.rng.IntN(4) == 0 {
			s.write(1)
		}
		s.StepRandom(s.rng)
		for _, it := range s.inbox.Take() {
			for i := range it.Changes {
				c := &it.Changes[i]
				if c.Map != "m" {
					continue
				}
				if lane := s.Engine.Lane(c.KeyHash); at[lane].Covers(c.Key, c.After) && holds(c.Key, c.After) {
					got[c.Key] = c.After
				} else {
					delete(got, c.Key)
				}
			}
			f, ok := it.Mark.(engine.Found)
			if !ok {
				continue
			}
			if f.Err != nil {
				s.t.Fatalf("lane %d: %v", f.Lane, f.Err)
			}
			for _, r := range f.Rows {
				if _, twice := got[r.Key]; twice {
					s.t.Fatalf("%s is found twice", r.Key)
				}
				got[r.Key] = r.State
			}
			if at[f.Lane] = f.Next; f.Next.Path.Whole() {
				return nil, false
			}
			if used = true; f.Next.Done {
				left--
			} else {
				ask(f.Lane)
			}
		}
	}
	s.Settle()
	for _, it := range s.inbox.Take() {
		for i := range it.Changes {
			if c := &it.Changes[i]; c.Map == "m" && c.Kind == change.KindLWW {
				if delete(got, c.Key); holds(c.Key, c.After) {
					got[c.Key] = c.After
				}
			}
		}
	}
	return got, used
}

// TestFoundIsWhatMatches looks for records by random indexes, with and without
// room for all records in memory, while records and indexes change and after
// crashes: what is found and kept up is what matches.
func TestFoundIsWhatMatches(t *testing.T) {
	used := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			s := newSeeker(t, rng, []int{0, 16 << 10}[seed%2])
			for range 12 {
				s.write(rng.IntN(40))
				switch rng.IntN(6) {
				case 0, 1, 2:
					s.toggle()
				case 3:
					s.Settle()
					next, err := s.Restart(t, 50, rng)
					if err != nil {
						t.Fatal(err)
					}
					s.World = next
					s.join()
				}
				q := s.question()
				got, ok := s.seek(q)
				if !ok {
					s.Settle()
					continue
				}
				used++
				match, err := predicate.Compile(q.Node, predicate.Env{})
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for k, v := range s.model {
					if match.Match(k, v) {
						want = append(want, k)
					}
				}
				slices.Sort(want)
				if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
					t.Fatalf("found %v, want %v", keys, want)
				}
				for k, state := range got {
					if !value.Equal(records.ValueOf(state), s.model[k]) {
						t.Fatalf("%s is found as it was before", k)
					}
				}
			}
		})
	}
	if used < 50 {
		t.Errorf("indexes led to the records %d times: that proves little", used)
	}
}
