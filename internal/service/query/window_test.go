package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// table is what a query is about, kept in the most obvious way: key to state.
type table map[string]string

// listed is a row of a result.
type listed struct {
	key   string
	state string
	value value.Raw
}

// answer runs a query the slow way: everything that is there, sorted, and the
// first of it. more says that there is more.
func (tab table) answer(m *wire.QuerySub, keep func(key string, v value.Raw) bool, now int64) (rows []listed, more bool) {
	for key, state := range tab {
		rec, err := crdt.ParseLWW(state)
		if err != nil || !rec.Visible(now) || keep != nil && !keep(key, rec.Value) {
			continue
		}
		rows = append(rows, listed{key, state, rec.Value})
	}
	slices.SortFunc(rows, func(a, b listed) int {
		for _, f := range m.Query.Sort {
			x, _ := value.Lookup(a.value, value.ParsePath(f.Field))
			y, _ := value.Lookup(b.value, value.ParsePath(f.Field))
			c := value.Compare(x, y)
			if f.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.key, b.key)
	})
	if n := int(m.Query.Limit.Or(int64(len(rows)))); len(rows) > n {
		return rows[:n], true
	}
	return rows, false
}

// screen is what a client shows of one query.
type screen map[string]string // key to state or value

// show applies updates as a client does, and fails on one that makes no sense.
func (s screen) show(ups []update) error {
	for _, u := range ups {
		_, has := s[u.row.key]
		switch {
		case u.kind == enter && has:
			return fmt.Errorf("%q enters, and is shown", u.row.key)
		case u.kind != enter && !has:
			return fmt.Errorf("%q is to be changed (%d), and is not shown", u.row.key, u.kind)
		case u.kind == leave:
			delete(s, u.row.key)
		default:
			s[u.row.key] = u.row.state
		}
	}
	return nil
}

func (s screen) equal(rows []listed) bool {
	if len(s) != len(rows) {
		return false
	}
	for _, r := range rows {
		if got, ok := s[r.key]; !ok || got != r.state {
			return false
		}
	}
	return true
}

func screenOf(rows []*row) screen {
	s := screen{}
	for _, r := range rows {
		s[r.key] = r.state
	}
	return s
}

func mustPlan(t failer, m *wire.QuerySub) *plan {
	t.Helper()
	p, err := newPlan(m, policy.Principal{}, 10_000)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return p
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// raw encodes a document.
func raw(t failer, doc map[string]any) value.Raw {
	t.Helper()
	v, err := value.FromAny(doc)
	if err != nil {
		t.Fatalf("%v: %v", doc, err)
	}
	return v
}

// drawSort draws an order by up to two fields.
func drawSort(t *rapid.T) wire.Sort {
	var out wire.Sort
	for range rapid.IntRange(0, 2).Draw(t, "sort fields") {
		out = append(out, wire.SortField{
			Field:      rapid.SampledFrom([]string{"n", "m", "deep.n"}).Draw(t, "field"),
			Descending: rapid.Bool().Draw(t, "descending"),
		})
	}
	return out
}

// drawDoc draws a document whose sort fields hold anything, or are not there.
func drawDoc(t *rapid.T) value.Raw {
	doc := map[string]any{}
	for _, f := range []string{"n", "m"} {
		switch rapid.IntRange(0, 4).Draw(t, "kind of "+f) {
		case 0:
		case 1:
			doc[f] = rapid.Custom(func(t *rapid.T) any { return valuetest.Any(1).Draw(t, "any") }).Draw(t, f)
		default:
			doc[f] = int64(rapid.IntRange(0, 5).Draw(t, f))
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "deep") == 0 {
		doc["deep"] = map[string]any{"n": int64(rapid.IntRange(0, 2).Draw(t, "deep.n"))}
	}
	return raw(t, doc)
}

// TestWindowIsTheTrueTopN runs random histories of writes and removals against
// one standing query. After each change the window is a beginning of everything
// sorted, and the updates have turned what a client shows into the first rows of
// it; when the window runs short, nothing is sent until a scan has filled it, and
// then what makes up for the time between.
func TestWindowIsTheTrueTopN(t *testing.T) {
	fills, cuts := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := &wire.QuerySub{MapName: "m", Query: wire.Query{
			Sort: drawSort(t), Limit: wire.Some(int64(rapid.IntRange(0, 6).Draw(t, "limit"))),
		}}
		p := mustPlan(t, m)
		q := &standing{plan: p, live: newResult(p, 0, 0)}
		tab, shown := table{}, screen{}
		millis := int64(0)
		write := func(key string, doc value.Raw) {
			millis++
			state := string(crdt.AppendLWW(nil, crdt.LWW{Value: doc, TS: hlc.Timestamp{Millis: millis, Node: "x"}}))
			wasFilling := q.filling
			old, _ := tab.answer(m, nil, millis)
			c := changed{now: millis}
			c.load(&change.Record{Kind: change.KindLWW, Key: key, KeyHash: hash.Key(key), Before: tab[key], After: state}, millis)
			c.was, c.is = c.before.doc.There, c.after.doc.There
			tab[key] = state
			ups, short := q.apply(nil, &c, position{}, nil)
			if (wasFilling || short) && len(ups) > 0 {
				t.Fatalf("%d updates are sent while the window is not the true one", len(ups))
			}
			if err := shown.show(ups); err != nil {
				t.Fatalf("%v", err)
			}
			if q.filling {
				if !wasFilling && !short {
					t.Fatalf("the window is short and nobody is told")
				}
				return
			}
			want, more := tab.answer(m, nil, millis)
			if !shown.equal(want) {
				t.Fatalf("shown are %q, the first rows are %q", shown, want)
			}
			if len(ups) > 0 && slices.EqualFunc(old, want, func(a, b listed) bool { return a.key == b.key && a.state == b.state }) {
				t.Fatalf("nothing changes in the rows shown, %d updates are sent", len(ups))
			}
			if q.live.window.more() != more {
				t.Fatalf("there is more: %t, the window says %t", more, q.live.window.more())
			}
			checkWindow(t, q.live.window, tab, m, millis)
		}
		fill := func() {
			fills++
			w := newWindow(p, 0)
			for key, state := range tab {
				w.set(key, p.wants(change.KindLWW, key, state, millis), nil)
			}
			checkWindow(t, w, tab, m, millis)
			ups := w.compareShown(q.shown, nil)
			q.live.window, q.filling, q.shown = w, false, nil
			if err := shown.show(ups); err != nil {
				t.Fatalf("after a scan: %v", err)
			}
			if want, _ := tab.answer(m, nil, millis); !shown.equal(want) {
				t.Fatalf("after a scan shown are %q, the first rows are %q", shown, want)
			}
		}
		if rapid.Bool().Draw(t, "much to begin with") {
			for i := range 30 {
				write(fmt.Sprint("k", i), raw(t, map[string]any{"n": int64(i % 7)}))
			}
		}
		gone := rapid.IntRange(1, 9).Draw(t, "removals of ten")
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			key := fmt.Sprint("k", rapid.IntRange(0, 29).Draw(t, "key"))
			if rapid.IntRange(0, 9).Draw(t, "what") < gone {
				// Removals at the top are what uses the window up.
				if rows := q.live.window.rows; len(rows) > 0 && rapid.Bool().Draw(t, "of the first") {
					key = rows[0].key
				}
				write(key, nil)
			} else {
				write(key, drawDoc(t))
			}
			if q.live.window.cut {
				cuts++
			}
			if q.filling && rapid.IntRange(0, 3).Draw(t, "scan now") == 0 {
				fill()
			}
		}
		if q.filling {
			fill()
		}
	})
	if fills == 0 || cuts == 0 {
		t.Errorf("%d windows were filled, %d were cut: the histories do too little", fills, cuts)
	}
}

// checkWindow holds a window to its invariant.
func checkWindow(t failer, w *window, tab table, m *wire.QuerySub, now int64) {
	t.Helper()
	all := *m
	all.Query.Limit = wire.Opt[int64]{}
	want, _ := tab.answer(&all, nil, now)
	if len(w.rows) > len(want) || !w.cut && len(w.rows) != len(want) {
		t.Fatalf("the window has %d rows, cut %t, of %d", len(w.rows), w.cut, len(want))
	}
	if len(w.rows) > w.most {
		t.Fatalf("the window has %d rows of at most %d", len(w.rows), w.most)
	}
	for i, r := range w.rows {
		if r.key != want[i].key || r.state != want[i].state {
			t.Fatalf("row %d of the window is %q, of everything sorted %q", i, r.key, want[i].key)
		}
		if w.byID[r.key] != r {
			t.Fatalf("row %q is not found by its key", r.key)
		}
	}
	if len(w.byID) != len(w.rows) {
		t.Fatalf("%d rows, %d by key", len(w.rows), len(w.byID))
	}
}

// TestCompareShownTurnsOneIntoTheOther compares any two results.
func TestCompareShownTurnsOneIntoTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := mustPlan(t, &wire.QuerySub{Query: wire.Query{Limit: wire.Some(int64(5))}})
		draw := func(name string) *window {
			w := newWindow(p, 0)
			for range rapid.IntRange(0, 12).Draw(t, name) {
				key := fmt.Sprint("k", rapid.IntRange(0, 9).Draw(t, "key"))
				rec := crdt.LWW{Value: value.AppendInt(nil, int64(rapid.IntRange(0, 2).Draw(t, "value"))), TS: hlc.Timestamp{Millis: 1}}
				w.set(key, p.wants(change.KindLWW, key, string(crdt.AppendLWW(nil, rec)), 1), nil)
			}
			return w
		}
		before, after := draw("before"), draw("after")
		shown := screenOf(before.shown())
		ups := after.compareShown(before.shown(), nil)
		if err := shown.show(ups); err != nil {
			t.Fatalf("%v", err)
		}
		if want := screenOf(after.shown()); fmt.Sprint(shown) != fmt.Sprint(want) {
			t.Fatalf("shown are %q, want %q", shown, want)
		}
		if again := after.compareShown(after.shown(), nil); len(again) != 0 {
			t.Fatalf("a window differs from itself by %d updates", len(again))
		}
		room := 0
		for _, u := range ups {
			// Rows leave before others enter: a client never shows more than the
			// greater of the two.
			switch u.kind {
			case enter:
				room++
			case leave:
				room--
			default:
			}
			if n := len(before.shown()) + room; n > max(len(before.shown()), len(after.shown())) {
				t.Fatalf("%d rows are shown on the way", n)
			}
		}
	})
}

// stateOf is a record that holds doc.
func stateOf(doc value.Raw) string {
	return string(crdt.AppendLWW(nil, crdt.LWW{Value: doc, TS: hlc.Timestamp{Millis: 1, Node: "x"}}))
}
