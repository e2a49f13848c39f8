package vectors_test

import (
	"errors"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
)

type counterFile struct {
	About  string `json:"about"`
	Merges []struct {
		Name    string  `json:"name"`
		Local   counter `json:"local"`
		Remote  counter `json:"remote"`
		Merged  counter `json:"merged"`
		Changed bool    `json:"changed"`
		Value   float64 `json:"value"`
	} `json:"merges"`
	Refused []struct {
		counter
		Node string `json:"node"`
	} `json:"refused"`
}

// counter is the state of a counter as it is sent.
type counter struct {
	Positive map[string]float64 `json:"positive"`
	Negative map[string]float64 `json:"negative"`
}

func (c counter) state(t *testing.T) crdt.CounterState {
	t.Helper()
	s, err := crdt.AppendCounter(nil, c.Positive, c.Negative)
	if err != nil {
		t.Fatal(err)
	}
	return crdt.CounterState(s)
}

func counterOf(s crdt.CounterState) counter {
	c := counter{map[string]float64{}, map[string]float64{}}
	for e := range s.Entries() {
		if e.Pos != 0 {
			c.Positive[e.Node] = e.Pos
		}
		if e.Neg != 0 {
			c.Negative[e.Node] = e.Neg
		}
	}
	return c
}

// merge returns the merged state.
func merge(t *testing.T, a, b crdt.CounterState) (s crdt.CounterState, changed bool) {
	t.Helper()
	next, changed, err := a.Merge(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if !changed {
		return a, false
	}
	return crdt.CounterState(next), true
}

func TestCounterVectors(t *testing.T) {
	check(t, "counter.json", func(f *counterFile) {
		for i := range f.Merges {
			m := &f.Merges[i]
			var s crdt.CounterState
			s, m.Changed = merge(t, m.Local.state(t), m.Remote.state(t))
			m.Merged, m.Value = counterOf(s), s.Value()
		}
		for i := range f.Refused {
			r := &f.Refused[i]
			var ce *crdt.CountError
			if _, err := crdt.AppendCounter(nil, r.Positive, r.Negative); !errors.As(err, &ce) {
				t.Errorf("refused case %d: %v", i, err)
				continue
			}
			r.Node = ce.Node
		}
	})
}
