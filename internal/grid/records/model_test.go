package records

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// model is what a node should hold, kept in the most obvious way.
type model struct {
	lww      map[string]crdt.LWW
	or       map[string]map[string]crdt.ORRecord
	dead     map[string]map[string]bool
	counters map[string]map[string][2]float64
	stamps   map[string]hlc.Timestamp // re-stamped writes: key and original timestamp
}

func newModel() *model {
	return &model{
		lww: map[string]crdt.LWW{}, or: map[string]map[string]crdt.ORRecord{}, dead: map[string]map[string]bool{},
		counters: map[string]map[string][2]float64{}, stamps: map[string]hlc.Timestamp{},
	}
}

// apply says what an operation must come to, and holds the result against it.
// The timestamps that the node makes up are taken from the result.
func (m *model) apply(t failer, sys int64, o *Op, r *Result) (want Status) {
	t.Helper()
	switch o.Verb {
	case change.Put, change.Remove:
		return m.write(t, sys, o, r)
	case change.Add:
		rec := crdt.ORRecord{Tag: o.Tag, Value: o.Value, TS: o.TS, TTL: o.TTL, HasTTL: o.HasTTL}
		if m.or[o.Key] == nil {
			m.or[o.Key], m.dead[o.Key] = map[string]crdt.ORRecord{}, map[string]bool{}
		}
		if m.dead[o.Key][o.Tag] {
			return Unchanged
		}
		if was, ok := m.or[o.Key][o.Tag]; ok && hlc.Compare(o.TS, was.TS) <= 0 {
			return Unchanged
		}
		m.or[o.Key][o.Tag] = rec
	case change.Drop:
		if m.or[o.Key] == nil {
			m.or[o.Key], m.dead[o.Key] = map[string]crdt.ORRecord{}, map[string]bool{}
		}
		if m.dead[o.Key][o.Tag] {
			return Unchanged
		}
		delete(m.or[o.Key], o.Tag)
		m.dead[o.Key][o.Tag] = true
	case change.Merge:
		changed := false
		if m.counters[o.Key] == nil {
			m.counters[o.Key] = map[string][2]float64{}
		}
		for e := range o.Counter.Entries() {
			was := m.counters[o.Key][e.Node]
			now := [2]float64{max(was[0], e.Pos), max(was[1], e.Neg)}
			changed = changed || now != was
			m.counters[o.Key][e.Node] = now
		}
		if !changed {
			return Unchanged
		}
	}
	return Applied
}

func (m *model) write(t failer, sys int64, o *Op, r *Result) Status {
	t.Helper()
	was, had := m.lww[o.Key]
	ts := o.TS
	memory := o.Key + "|" + ts.String()
	switch given, again := m.stamps[memory]; {
	case o.Verb == change.Remove && ts.IsZero():
		// Without a timestamp of its own it comes now, after everything.
		ts = r.Stamp
		if r.Status != Applied || ts.Node != "server" || had && hlc.Compare(ts, was.TS) <= 0 && !hlc.Ahead(sys, was.TS) {
			t.Fatalf("a removal without a timestamp: %+v over %v", *r, was.TS)
		}
	case again && ts.Millis > sys-hlc.MaxDrift:
		if !r.Restamped || r.Stamp != given {
			t.Fatalf("a write that was stored under %s before is answered with %+v", given, *r)
		}
		return Unchanged
	case hlc.Ahead(sys, ts):
		if !r.Restamped || r.Stamp.Node != "server" || hlc.Ahead(sys, r.Stamp) {
			t.Fatalf("a write at %s, the clock at %d, is answered with %+v", ts, sys, *r)
		}
		ts = r.Stamp
		m.stamps[memory] = ts
	case r.Restamped:
		t.Fatalf("a write at %s, the clock at %d, is re-stamped", ts, sys)
	}
	if had && hlc.Compare(ts, was.TS) <= 0 {
		return Unchanged
	}
	m.lww[o.Key] = crdt.LWW{Value: o.Value, TS: ts, TTL: o.TTL}
	return Applied
}

// text writes down what the model holds.
func (m *model) text() []string {
	var out []string
	for key, rec := range m.lww {
		out = append(out, fmt.Sprintf("%s/%q %s %x ttl %d", lwwMap, key, rec.TS, []byte(rec.Value), rec.TTL))
	}
	for key, recs := range m.or {
		for _, tag := range slices.Sorted(maps.Keys(recs)) {
			r := recs[tag]
			out = append(out, fmt.Sprintf("%s/%q %s %s %x %t", orMap, key, tag, r.TS, []byte(r.Value), r.HasTTL))
		}
		for _, tag := range slices.Sorted(maps.Keys(m.dead[key])) {
			out = append(out, fmt.Sprintf("%s/%q %s is removed", orMap, key, tag))
		}
	}
	for key, nodes := range m.counters {
		for _, name := range slices.Sorted(maps.Keys(nodes)) {
			if nodes[name] != [2]float64{} {
				out = append(out, fmt.Sprintf("%s/%q %s %v", CounterMap, key, name, nodes[name]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// text writes down what the node holds, in the words of the model.
func (n *node) text(t failer) []string {
	t.Helper()
	var out []string
	for _, key := range histKeys {
		if s, ok := n.state(lwwMap, key); ok {
			rec, err := crdt.ParseLWW(s)
			if err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			out = append(out, fmt.Sprintf("%s/%q %s %x ttl %d", lwwMap, key, rec.TS, []byte(rec.Value), rec.TTL))
		}
		s, _ := n.state(orMap, key)
		for r := range crdt.ORState(s).Records() {
			out = append(out, fmt.Sprintf("%s/%q %s %s %x %t", orMap, key, r.Tag, r.TS, []byte(r.Value), r.HasTTL))
		}
		for tag := range crdt.ORState(s).Tombstones() {
			out = append(out, fmt.Sprintf("%s/%q %s is removed", orMap, key, tag))
		}
		s, _ = n.state(CounterMap, key)
		for e := range crdt.CounterState(s).Entries() {
			out = append(out, fmt.Sprintf("%s/%q %s %v", CounterMap, key, e.Node, [2]float64{e.Pos, e.Neg}))
		}
	}
	slices.Sort(out)
	return out
}

// checkRecord holds a change against the states before and after it.
func checkRecord(t failer, n *node, o *Op, c *change.Record, before, after string, seq uint64) {
	t.Helper()
	r := n.replica(o.Hash)
	switch {
	case c.Pos != change.Position{Partition: r.ID, Epoch: r.Epoch, Seq: seq}:
		t.Fatalf("the change stands at %s, want seq %d of %d", c.Pos, seq, r.ID)
	case c.Map != o.Map || c.Key != o.Key || c.KeyHash != o.Hash || c.Kind != o.Kind || c.Verb != o.Verb || c.Tag != o.Tag:
		t.Fatalf("the change is %+v of %+v", c, o)
	case c.Author != o.Author || c.Request != o.Request:
		t.Fatalf("the change has author %v and request %q", c.Author, c.Request)
	}
	if c.Kind != change.KindOR {
		if c.Before != before || c.After != after {
			t.Fatalf("the change goes from %x to %x, the key from %x to %x", c.Before, c.After, before, after)
		}
		return
	}
	// Of a set a change holds the tag only: laid over the set before, it gives
	// the set after.
	merged, changed, err := crdt.ORState(before).Merge(nil, crdt.ORState(c.After))
	if err != nil || !changed || string(merged) != after {
		t.Fatalf("%x with %x gives %x, %t, %v; the set is %x", before, c.After, merged, changed, err, after)
	}
	if was := recordOf(before, c.Tag); string(tagOnly(t, was)) != c.Before {
		t.Fatalf("before %q was %v, the change says %x", c.Tag, was, c.Before)
	}
}

func recordOf(state, tag string) *crdt.ORRecord {
	for r := range crdt.ORState(state).Records() {
		if r.Tag == tag {
			return &r
		}
	}
	return nil
}

// tagOnly is the set that holds r and nothing else.
func tagOnly(t failer, r *crdt.ORRecord) []byte {
	t.Helper()
	if r == nil {
		return nil
	}
	b, _, _, err := crdt.ORState("").Add(nil, *r)
	if err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	return b
}

// TestReplicaDoesWhatItsModelDoes runs random histories of all kinds of
// operations, late, early, repeated and too far ahead, against maps that are
// kept in the most obvious way.
func TestReplicaDoesWhatItsModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := newNode(), newModel()
		var past []Op
		seqs := map[*Replica]uint64{}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			n.sys += rapid.SampledFrom([]int64{0, 1, 1, 30_000}).Draw(t, "time")
			o := drawOp(t, n.sys)
			if len(past) > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
				o = rapid.SampledFrom(past).Draw(t, "which")
			}
			o.Request = fmt.Sprint(len(past))
			past = append(past, o)

			before, _ := n.state(o.Map, o.Key)
			r, log := n.step(o)
			if want := m.apply(t, n.sys, &o, &r); r.Status != want || r.Err != nil {
				t.Fatalf("%+v: status %d, %v, want %d", o, r.Status, r.Err, want)
			}
			after, _ := n.state(o.Map, o.Key)
			if r.Status != Applied {
				if len(log) != 0 || before != after {
					t.Fatalf("%+v changed nothing and gave %v", o, log)
				}
				continue
			}
			if len(log) != 1 {
				t.Fatalf("%+v gave %d changes", o, len(log))
			}
			rep := n.replica(o.Hash)
			seqs[rep]++
			checkRecord(t, n, &o, &log[0], before, after, seqs[rep])
			if rapid.IntRange(0, 5).Draw(t, "look") == 0 {
				n.checkTrees(t)
			}
		}
		if got, want := n.text(t), m.text(); !slices.Equal(got, want) {
			t.Fatalf("the node holds\n%v\nthe model\n%v", got, want)
		}
		n.checkTrees(t)
	})
}

// TestRedeliveryEmitsNothing is law 4: a history in which operations are
// repeated, at any later time, leaves and logs what the history without the
// repetitions does. Removals that carry no timestamp are left out: nothing tells
// a second one from a repetition. So are re-stamped writes that come again when
// the memory of them has ended: they count anew, with their own timestamps.
func TestRedeliveryEmitsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once, often := newNode(), newNode()
		var past []Op
		ahead := map[string]bool{} // by request: was re-stamped
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			step := rapid.SampledFrom([]int64{0, 1, 20_000, 100_000}).Draw(t, "time")
			once.sys += step
			often.sys += step
			o := drawOp(t, once.sys)
			if o.Verb == change.Remove && o.TS.IsZero() {
				continue
			}
			o.Request = fmt.Sprint(len(past))
			past = append(past, o)
			once.step(o)
			r, _ := often.step(o)
			ahead[o.Request] = r.Restamped
			for range rapid.IntRange(0, 2).Draw(t, "repetitions") {
				again := rapid.SampledFrom(past).Draw(t, "which")
				if ahead[again.Request] && again.TS.Millis <= often.sys-hlc.MaxDrift {
					continue
				}
				if r, log := often.step(again); r.Status != Unchanged || len(log) != 0 {
					t.Fatalf("%+v came again: status %d, %d changes", again, r.Status, len(log))
				}
			}
		}
		if a, b := changes(once.log), changes(often.log); !slices.Equal(a, b) {
			t.Fatalf("without repetitions\n%v\nwith them\n%v", a, b)
		}
	})
}

// changes writes down what was logged, without the timestamps that the node
// made up: its clock ticks with each operation, repeated or not.
func changes(log []change.Record) []string {
	var out []string
	for _, c := range log {
		what := c.After
		if rec, err := crdt.ParseLWW(c.After); c.Kind == change.KindLWW && err == nil && rec.TS.Node == "server" {
			what = string(rec.Value)
		}
		if c.Verb == change.Drop {
			what = "" // holds when
		}
		out = append(out, fmt.Sprintf("%s %s/%q %d %s %x %s", c.Pos, c.Map, c.Key, c.Verb, c.Tag, what, c.Original))
	}
	return out
}

// TestAStateIsTheWritersBytes pins that no value is touched on its way in.
func TestAStateIsTheWritersBytes(t *testing.T) {
	n := newNode()
	// Neither the shortest encoding of 1 nor one that this code would choose.
	odd := value.Raw{0xd3, 0, 0, 0, 0, 0, 0, 0, 1}
	n.mustApply(t, put("a", at(1, "x"), odd))
	n.mustApply(t, add("a", at(1, "x"), "t", odd))
	s, _ := n.state(lwwMap, "a")
	if rec, err := crdt.ParseLWW(s); err != nil || string(rec.Value) != string(odd) {
		t.Errorf("the LWW map holds %x, %v", []byte(rec.Value), err)
	}
	s, _ = n.state(orMap, "a")
	if rec := recordOf(s, "t"); rec == nil || string(rec.Value) != string(odd) {
		t.Errorf("the OR map holds %v", rec)
	}
}
