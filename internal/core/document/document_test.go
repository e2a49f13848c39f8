package document

import (
	"math"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

func str(s string) value.Raw { return value.AppendStr(nil, s) }

func TestTheLatestValueIsTheDocument(t *testing.T) {
	state := string(crdt.AppendLWW(nil, crdt.LWW{Value: str("v"), TS: hlc.Timestamp{Millis: 100, Node: "n"}, TTL: 10}))
	for _, c := range []struct {
		at    int64
		there bool
	}{{Always, true}, {110, true}, {111, false}} {
		d := Of(change.KindLWW, state, c.at)
		if d.There != c.there || !d.TTL || d.Made || d.Until != 110 || d.Full.Any() != "v" {
			t.Errorf("at %d: %+v", c.at, d)
		}
	}
	for _, state := range []string{"", string(crdt.AppendLWW(nil, crdt.LWW{TS: hlc.Timestamp{Millis: 1, Node: "n"}})), "\xff"} {
		if Of(change.KindLWW, state, 1).There {
			t.Errorf("%q is there", state)
		}
	}
}

func TestTheLiveValuesAreTheDocument(t *testing.T) {
	var state crdt.ORState
	for _, r := range []crdt.ORRecord{
		{Tag: "1:0:n", Value: str("first"), TS: hlc.Timestamp{Millis: 1, Node: "n"}},
		{Tag: "2:0:n", Value: str("short"), TS: hlc.Timestamp{Millis: 2, Node: "n"}, TTL: 8, HasTTL: true},
	} {
		next, _, _, err := state.Add(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		state = crdt.ORState(next)
	}
	whole, later := Of(change.KindOR, string(state), 10), Of(change.KindOR, string(state), 11)
	if !whole.There || !whole.Made || !whole.TTL || whole.Until != 10 || !later.There || later.Until != math.MaxInt64 || !later.TTL {
		t.Errorf("%+v, later %+v", whole, later)
	}
	values := NewAttribute(Values)
	list, _ := values.Of("k", whole.Full).Any().([]any)
	rest, _ := values.Of("k", later.Full).Any().([]any)
	if len(list) != 2 || len(rest) != 1 || rest[0] != "first" {
		t.Errorf("values %v, later %v", list, rest)
	}
	if v := NewAttribute("2:0:n").Of("k", whole.Full); v.Any() != "short" {
		t.Errorf("by its tag: %v", v)
	}
	if fields, _ := whole.Value.Any().(map[string]any); len(fields) != 2 || fields["1:0:n"] != "first" {
		t.Errorf("the row is %v", fields)
	}
	if again := OfValues(whole.Value); string(again) != string(whole.Full) {
		t.Errorf("of the row follows %x, the document is %x", again, whole.Full)
	}
	if key := NewAttribute("_key").Of("k", whole.Full); key.Any() != "k" {
		t.Errorf("the key is %v", key)
	}
}
