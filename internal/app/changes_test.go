package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/test/peer"
)

// page is an answer to a consumer.
type page struct {
	Changes []struct {
		Map, Key, Verb, Tag string
		Partition           int
		Seq                 uint64
		Value               any
	}
	Position string
	Gap      bool
}

func (s *testServer) changes(after string, limit int) page {
	s.t.Helper()
	code, body := s.admin("GET", fmt.Sprintf("changes/copy?limit=%d&after=%s", limit, url.QueryEscape(after)), "")
	var p page
	if err := json.Unmarshal([]byte(body), &p); code != http.StatusOK || err != nil {
		s.t.Fatalf("%d %s", code, body)
	}
	return p
}

// TestAConsumerSeesEveryChange reads the changes of a node under a name: from a
// copy of the state on, each once and in order, again what it did not keep, and
// on from its place after the server was started again.
func TestAConsumerSeesEveryChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	put := func(id, n int) {
		write(t, s.dial(), peer.Put(fmt.Sprint(id), "m", fmt.Sprint("k", n), n, at(int64(10+id))))
	}
	put(1, 0)
	first := s.changes("", 10)
	if !first.Gap || len(first.Changes) != 0 {
		t.Fatalf("a new consumer is told %+v", first)
	}
	for i := range 5 {
		put(2+i, i)
	}
	// One after the other: operations of one batch may go to different lanes.
	write(t, s.dial(), peer.Add("9", "sets", "a", "tag", 1, at(10)))
	write(t, s.dial(), peer.Remove("10", "m", "k0", at(100)))
	var seen []string
	after := first.Position
	for range 20 {
		p := s.changes(after, 2)
		if again := s.changes(after, 2); len(again.Changes) != len(p.Changes) || again.Position != p.Position {
			t.Fatalf("what was not kept comes again as %+v, it was %+v", again, p)
		}
		for _, c := range p.Changes {
			seen = append(seen, fmt.Sprint(c.Verb, " ", c.Map, "/", c.Key, c.Tag, "=", c.Value))
		}
		if p.Position == after {
			break
		}
		after = p.Position
	}
	want := "[put m/k0=0 put m/k1=1 put m/k2=2 put m/k3=3 put m/k4=4 add sets/atag=<nil> remove m/k0=<nil>]"
	if fmt.Sprint(seen) != want {
		t.Errorf("the consumer sees\n%v, want\n%s", seen, want)
	}
	put(11, 7)
	s.stop()
	s = startServerIn(t, dir)
	if p := s.changes(after, 10); p.Gap || len(p.Changes) != 1 || p.Changes[0].Key != "k7" {
		t.Errorf("after a start: %+v", p)
	}
	if p := s.changes("1234.1", 10); !p.Gap {
		t.Errorf("a position of another log: %+v", p)
	}
	for _, bad := range []string{"after=x", "after=1.x", "limit=0", "limit=x", "limit=10001"} {
		if code, body := s.admin("GET", "changes/copy?"+bad, ""); code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, code, body)
		}
	}
	if code, body := s.admin("GET", "changes/"+strings.Repeat("n", 129), ""); code != http.StatusBadRequest || !strings.Contains(body, "name") {
		t.Errorf("a name that is too long: %d %s", code, body)
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if code, body := s.admin("DELETE", "changes/copy", ""); code != want {
			t.Errorf("forgetting: %d %s, want %d", code, body, want)
		}
	}
}

// TestAnAnswerThatDidNotArriveComesAgain: what a consumer has been sent says
// nothing of what it has, until it says so; a gap is told until it is closed.
func TestAnAnswerThatDidNotArriveComesAgain(t *testing.T) {
	s := startServer(t)
	write(t, s.dial(), peer.Put("1", "m", "before", 1, at(10)))
	for i := range 2 {
		if p := s.changes("", 10); !p.Gap {
			t.Fatalf("request %d of a consumer that has nothing: %+v", i, p)
		}
	}
	place := s.changes("", 10).Position
	if p := s.changes(place, 10); p.Gap || len(p.Changes) != 0 {
		t.Fatalf("with a copy of the state: %+v", p)
	}
	write(t, s.dial(), peer.Put("2", "m", "behind", 1, at(20)))
	for i := range 2 {
		if p := s.changes("", 10); p.Gap || len(p.Changes) != 1 || p.Changes[0].Key != "behind" {
			t.Errorf("request %d without a place: %+v", i, p)
		}
	}
}

// TestAPlaceThatOnlyItsConsumerRemembers: when the log reaches back to it, the
// consumer goes on there, and the log behind it is kept from then on.
func TestAPlaceThatOnlyItsConsumerRemembers(t *testing.T) {
	s := startServer(t)
	place := s.changes("", 10).Position
	s.changes(place, 10)
	if code, body := s.admin("DELETE", "changes/copy", ""); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, body)
	}
	s.changes(place, 10)
	write(t, s.dial(), peer.Put("1", "m", "k", 1, at(10)))
	if p := s.changes("", 10); p.Gap || len(p.Changes) != 1 {
		t.Errorf("behind a place that was brought: %+v", p)
	}
}
