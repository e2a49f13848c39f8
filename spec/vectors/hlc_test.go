package vectors_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

type hlcFile struct {
	About   string `json:"about"`
	Compare []struct {
		A     stamp `json:"a"`
		B     stamp `json:"b"`
		Order int   `json:"order"`
	} `json:"compare"`
	Text []struct {
		Timestamp stamp  `json:"timestamp"`
		Text      string `json:"text"`
	} `json:"text"`
	Parse []struct {
		Text      string `json:"text"`
		Timestamp *stamp `json:"timestamp"`
	} `json:"parse"`
	Clocks []struct {
		Name   string      `json:"name"`
		NodeID string      `json:"nodeId"`
		Steps  []clockStep `json:"steps"`
	} `json:"clocks"`
}

type clockStep struct {
	Op       string `json:"op"`
	Sys      *int64 `json:"sys,omitempty"`
	Remote   *stamp `json:"remote,omitempty"`
	Accepted *bool  `json:"accepted,omitempty"`
	Clock    stamp  `json:"clock"`
}

func TestHLCVectors(t *testing.T) {
	check(t, "hlc.json", func(f *hlcFile) {
		for i := range f.Compare {
			c := &f.Compare[i]
			c.Order = hlc.Compare(c.A.hlc(), c.B.hlc())
		}
		for i := range f.Text {
			f.Text[i].Text = f.Text[i].Timestamp.hlc().String()
		}
		for i := range f.Parse {
			c := &f.Parse[i]
			c.Timestamp = nil
			if ts, err := hlc.Parse(c.Text); err == nil {
				s := stampOf(ts)
				c.Timestamp = &s
			}
		}
		for _, c := range f.Clocks {
			clock := hlc.NewClock(c.NodeID)
			for i := range c.Steps {
				c.Steps[i].run(t, clock)
			}
		}
	})
}

func (s *clockStep) run(t *testing.T, clock *hlc.Clock) {
	t.Helper()
	switch s.Op {
	case "now":
		if got := clock.Now(*s.Sys); got != clock.Last() {
			t.Errorf("Now returned %v, but the clock stands at %v", got, clock.Last())
		}
	case "update":
		ok := clock.Update(*s.Sys, s.Remote.hlc())
		s.Accepted = &ok
	case "resume":
		clock.Resume(s.Remote.hlc())
	default:
		t.Fatalf("unknown step %q", s.Op)
	}
	s.Clock = stampOf(clock.Last())
}
