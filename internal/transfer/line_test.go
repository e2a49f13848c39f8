package transfer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

func row(kind change.Kind, mapName, key string, state []byte) *backing.Row {
	return &backing.Row{Key: backing.Key{Map: mapName, Hash: hash.Key(key), Key: key}, Kind: uint8(kind), State: state}
}

func timestamp(t *rapid.T) hlc.Timestamp {
	return hlc.Timestamp{
		Millis:  rapid.Int64Range(0, 1<<50).Draw(t, "millis"),
		Counter: rapid.Uint32().Draw(t, "counter"), Node: rapid.StringMatching("[a-z]{1,8}").Draw(t, "node"),
	}
}

// fataler is a test, or a part of one.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// parse reads the one line that there is.
func parse(t fataler, text []byte) line {
	t.Helper()
	if bytes.Count(text, []byte("\n")) != 1 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatalf("not one line: %q", text)
	}
	l, err := parseLine(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return l
}

func TestLWWLinesKeepTheRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := crdt.LWW{TS: timestamp(t), TTL: rapid.Int64Range(0, 1000).Draw(t, "ttl")}
		if rapid.Bool().Draw(t, "there") {
			rec.Value = valuetest.Encode(t, valuetest.Any(2).Draw(t, "value"))
		}
		key := rapid.String().Draw(t, "key")
		text, err := AppendLine(nil, row(change.KindLWW, "m", key, crdt.AppendLWW(nil, rec)), true)
		if err != nil {
			t.Fatal(err)
		}
		l := parse(t, text)
		ops, err := l.ops()
		if err != nil || len(ops) != 1 {
			t.Fatalf("%s: %v, %v", text, ops, err)
		}
		got := ops[0].Record.Value
		if ops[0].Key != key || got.Timestamp != rec.TS || got.Tombstone() != rec.Tombstone() {
			t.Fatalf("%s is read as %+v", text, ops[0])
		}
		if !rec.Tombstone() && (got.TTL != rec.TTL || !bytes.Equal(value.AppendNormal(nil, got.Value), value.AppendNormal(nil, rec.Value))) {
			t.Fatalf("%s is read as %+v", text, got)
		}
	})
}

func TestORLinesKeepTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var state []byte
		want := map[string]string{}
		for i := range rapid.IntRange(1, 4).Draw(t, "records") {
			r := crdt.ORRecord{Tag: string(rune('a' + i)), TS: timestamp(t), Value: value.AppendInt(nil, int64(i)), HasTTL: rapid.Bool().Draw(t, "has ttl")}
			if r.HasTTL {
				r.TTL = rapid.Int64Range(0, 9).Draw(t, "ttl")
			}
			state, _, _, _ = crdt.ORState(state).Add(nil, r)
			if rapid.Bool().Draw(t, "removed") {
				state, _, _, _, _ = crdt.ORState(state).Remove(nil, r.Tag, 5)
				want[r.Tag] = "OR_REMOVE"
			} else {
				want[r.Tag] = "OR_ADD"
			}
		}
		text, err := AppendLine(nil, row(change.KindOR, "m", "k", state), true)
		if err != nil {
			t.Fatal(err)
		}
		l := parse(t, text)
		ops, err := l.ops()
		if err != nil || len(ops) != len(want) {
			t.Fatalf("%s: %d operations, want %d; %v", text, len(ops), len(want), err)
		}
		for _, op := range ops {
			tag := op.ORTag.Value
			if op.OpType == "OR_ADD" {
				tag = op.ORRecord.Value.Tag
			}
			if want[tag] != op.OpType {
				t.Errorf("tag %s comes as %s, want %s", tag, op.OpType, want[tag])
			}
		}
	})
}

func TestCounterLinesKeepTheCounts(t *testing.T) {
	state, err := crdt.AppendCounter(nil, map[string]float64{"a": 3, "b": 0.5}, map[string]float64{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := AppendLine(nil, row(change.KindCounter, records.CounterMap, "hits", state), false)
	if err != nil {
		t.Fatal(err)
	}
	l := parse(t, text)
	m := l.counterSync()
	if v, _ := m.State.Positive.Get("b"); m.Name != "hits" || v != 0.5 || len(m.State.Positive) != 2 || len(m.State.Negative) != 1 {
		t.Errorf("%s is read as %+v", text, m)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	gone := crdt.AppendLWW(nil, crdt.LWW{TS: hlc.Timestamp{Millis: 1, Node: "n"}})
	there := crdt.AppendLWW(nil, crdt.LWW{TS: hlc.Timestamp{Millis: 1, Node: "n"}, Value: value.AppendInt(nil, 1)})
	for name, r := range map[string]*backing.Row{
		"what was deleted":      row(change.KindLWW, "m", "k", gone),
		"the server's own maps": row(change.KindLWW, records.ReservedPrefix+"devices", "k", there),
		"the memory of stamps":  row(change.KindRestamp, records.RestampMap, "k", nil),
	} {
		if text, err := AppendLine(nil, r, false); err != nil || len(text) > 0 {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestEscapesAreRead(t *testing.T) {
	l := parse(t, []byte(`{"type":"lww","map":"m","key":"\u0041\ud83d\ude00\\ud800\n","timestamp":"1:0:n","value":1}`+"\n"))
	if want := "A\U0001F600\\ud800\n"; *l.Key != want {
		t.Errorf("the key is %q, want %q", *l.Key, want)
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{}`, `{"type":"map"}`,
		`{"type":"lww","key":"k","timestamp":"1:0:n","value":1}`,
		`{"type":"lww","map":"m","key":"k","value":1}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n"}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":1,"deleted":true}`,
		`{"type":"or","key":"k"}`,
		`{"type":"lww","map":"m","timestamp":"1:0:n","value":1}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":null}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":1,"ttl":5}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":1,"removed":["t"]}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":1}{}`,
		"{\"type\":\"lww\",\"map\":\"m\",\"key\":\"\xff\",\"timestamp\":\"1:0:n\",\"value\":1}",
		`{"type":"lww","map":"m","key":"\ud800","timestamp":"1:0:n","value":1}`,
		`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":"\\\udc00\ud800"}`,
		`{"type":"counter","key":"k","added":{"\ud800\u0041":1}}`,
		`{"type":"or","map":"m","key":"k","timestamp":"1:0:n"}`,
		`{"type":"or","map":"m","key":"k","records":[{"tag":"t","timestamp":"1:0:n","value":1,"ttl":5}]}`,
		`{"type":"counter","added":{"n":1}}`,
		`{"type":"counter","map":"m","key":"k","added":{"n":1}}`,
		`{"type":"counter","key":"k","value":1}`,
		`{"type":"counter","key":"k","subtracted":{"n":-1}}`,
		`{"type":"or","map":"m","key":"k","records":[{"tag":"","timestamp":"1:0:n","value":1}]}`,
		`{"type":"or","map":"m","key":"k","records":[{"tag":"t","timestamp":"x","value":1}]}`,
	} {
		if l, err := parseLine([]byte(text)); !errors.Is(err, ErrLine) {
			t.Errorf("%s is read as %+v, %v", text, l, err)
		}
	}
	l, err := parseLine([]byte(`{"type":"lww","map":"m","key":"k","timestamp":"1:0:n","value":{"$bin":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.ops(); !errors.Is(err, ErrLine) || !strings.Contains(err.Error(), "$bin") {
		t.Errorf("a value in a form that is none: %v", err)
	}
}
