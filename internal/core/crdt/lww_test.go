package crdt_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// raw encodes a Go value.
func raw(v any) value.Raw {
	b, err := value.FromAny(v)
	if err != nil {
		panic(err)
	}
	return b
}

func at(millis int64, counter uint32, node string) hlc.Timestamp {
	return hlc.Timestamp{Millis: millis, Counter: counter, Node: node}
}

// timestamps draws from few values, so that equal parts are common, and from
// the ends of the ranges.
func timestamps() *rapid.Generator[hlc.Timestamp] {
	return rapid.Custom(func(t *rapid.T) hlc.Timestamp {
		return hlc.Timestamp{
			Millis:  rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 255, 256, 1771700000000, math.MaxInt64}).Draw(t, "millis"),
			Counter: rapid.SampledFrom([]uint32{0, 1, 255, 256, math.MaxUint32}).Draw(t, "counter"),
			Node:    rapid.SampledFrom([]string{"", "a", "b", "ba", "node-1", "node-10", "é"}).Draw(t, "node"),
		}
	})
}

// lwwAt draws a record whose content follows from its timestamp, as that of a
// write does.
func lwwAt(ts hlc.Timestamp) crdt.LWW {
	h := hash.Key(ts.String())
	r := crdt.LWW{TS: ts, TTL: int64(h%3) * 1000}
	if h%4 != 0 {
		r.Value = raw(int64(h))
	}
	return r
}

func encode(r crdt.LWW) string { return string(crdt.AppendLWW(nil, r)) }

func TestLWWStatesReadBackAsTheyWere(t *testing.T) {
	for name, r := range map[string]crdt.LWW{
		"value":           {Value: raw(map[string]any{"a": int64(1)}), TS: at(1771700000000, 3, "node-1")},
		"with ttl":        {Value: raw("x"), TS: at(1, 0, "n"), TTL: 5000},
		"negative ttl":    {Value: raw("x"), TS: at(1, 0, "n"), TTL: -1},
		"tombstone":       {TS: at(1, 0, "n")},
		"tombstone, ttl":  {TS: at(1, 0, "n"), TTL: 1},
		"no node":         {Value: raw(false), TS: at(0, 0, "")},
		"before 1970":     {Value: raw(""), TS: at(-5, math.MaxUint32, "n")},
		"long node":       {Value: raw(""), TS: at(1, 1, fmt.Sprintf("%0300d", 7))},
		"zero everything": {},
	} {
		t.Run(name, func(t *testing.T) {
			state := encode(r)
			got, err := crdt.ParseLWW(state)
			if err != nil || got.TS != r.TS || got.TTL != r.TTL || string(got.Value) != string(r.Value) {
				t.Errorf("read back %+v, %v, want %+v", got, err, r)
			}
			if err := crdt.ValidateLWW(state); err != nil {
				t.Errorf("validate: %v", err)
			}
			if r.Value == nil && got.Value != nil {
				t.Errorf("a tombstone came back with value %x", got.Value)
			}
		})
	}
}

func TestNilValueIsATombstone(t *testing.T) {
	a := encode(crdt.LWW{Value: raw(nil), TS: at(1, 2, "n")})
	b := encode(crdt.LWW{TS: at(1, 2, "n")})
	if a != b {
		t.Errorf("nil is encoded as %x, a missing value as %x", a, b)
	}
}

func TestAcceptOrdersLikeCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := timestamps().Draw(t, "a"), timestamps().Draw(t, "b")
		stored, remote := encode(lwwAt(a)), encode(lwwAt(b))
		want := hlc.Compare(b, a)
		if got := crdt.AcceptLWW(stored, b); got != want {
			t.Fatalf("AcceptLWW(%v, %v) = %d, want %d", a, b, got, want)
		}
		if got := crdt.CompareLWW(remote, stored); cmp.Compare(got, 0) != want {
			t.Fatalf("CompareLWW(%v, %v) = %d, want %d", b, a, got, want)
		}
	})
}

func TestAnythingIsNewerThanNothing(t *testing.T) {
	old := at(math.MinInt64, 0, "")
	state := encode(crdt.LWW{TS: old})
	for _, absent := range []string{"", "x", state[:13]} {
		if got := crdt.AcceptLWW(absent, old); got != 1 {
			t.Errorf("AcceptLWW(%x) = %d, want 1", absent, got)
		}
		if crdt.CompareLWW(state, absent) <= 0 || crdt.CompareLWW(absent, state) >= 0 || crdt.CompareLWW(absent, "") != 0 {
			t.Errorf("%x is not the oldest of all", absent)
		}
	}
}

func TestLWWHashIsThatOfTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, ts := rapid.String().Draw(t, "key"), timestamps().Draw(t, "ts")
		want := hash.Key(fmt.Sprintf("%s:%d:%d:%s", key, ts.Millis, ts.Counter, ts.Node))
		if got := crdt.LWWHash(key, ts); got != want {
			t.Fatalf("LWWHash(%q, %v) = %d, want %d", key, ts, got, want)
		}
		if got := crdt.LWWHashOf(key, encode(lwwAt(ts))); got != want {
			t.Fatalf("LWWHashOf(%q, %v) = %d, want %d", key, ts, got, want)
		}
	})
	if got := crdt.LWWHashOf("key", "\x10 short"); got != 0 {
		t.Errorf("hash of no state = %d, want 0", got)
	}
}

func TestLWWMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := func(name string) string { return encode(lwwAt(timestamps().Draw(t, name))) }
		a, b, c := state("a"), state("b"), state("c")
		if crdt.MergeLWW(a, b) != crdt.MergeLWW(b, a) {
			t.Fatalf("not commutative")
		}
		if crdt.MergeLWW(crdt.MergeLWW(a, b), c) != crdt.MergeLWW(a, crdt.MergeLWW(b, c)) {
			t.Fatalf("not associative")
		}
		if crdt.MergeLWW(a, a) != a || crdt.MergeLWW(a, "") != a || crdt.MergeLWW("", a) != a {
			t.Fatalf("not idempotent")
		}
	})
}

// TestDeletedStaysDeleted delivers a history of one key in any order, with
// repetitions, and expects the deletion to win over everything before it.
func TestDeletedStaysDeleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		deletion := crdt.LWW{TS: at(1000, 5, "m")}
		history := []crdt.LWW{deletion}
		for i := range rapid.IntRange(1, 8).Draw(t, "writes") {
			ts := timestamps().Filter(func(ts hlc.Timestamp) bool { return hlc.Compare(ts, deletion.TS) < 0 }).Draw(t, "ts")
			history = append(history, crdt.LWW{Value: raw(int64(i)), TS: ts})
		}
		history = append(history, rapid.SliceOf(rapid.SampledFrom(history)).Draw(t, "again")...)
		state := ""
		for _, r := range rapid.Permutation(history).Draw(t, "order") {
			if crdt.AcceptLWW(state, r.TS) > 0 {
				state = encode(r)
			}
		}
		if got, err := crdt.ParseLWW(state); err != nil || !got.Tombstone() {
			t.Fatalf("the key holds %+v, %v", got, err)
		}
	})
}

func TestRecordsAreVisibleUpToTheLastMillisecondOfTheirTTL(t *testing.T) {
	const m = 1771700000000
	for _, c := range []struct {
		millis, ttl, now int64
		want             bool
	}{
		{m, 1000, m + 999, true},
		{m, 1000, m + 1000, true},
		{m, 1000, m + 1001, false},
		{m, 0, m + 1e12, true},
		{m, -1, m, false},
		{math.MaxInt64, 1000, math.MaxInt64, true},
		{1000, math.MaxInt64, math.MaxInt64, true},
		{-1000, math.MinInt64, math.MinInt64, true},
		{-1000, math.MinInt64, 0, false},
	} {
		lww := crdt.LWW{Value: raw(true), TS: at(c.millis, 0, "n"), TTL: c.ttl}
		or := crdt.ORRecord{Tag: "t", Value: raw(true), TS: lww.TS, TTL: c.ttl, HasTTL: true}
		if lww.Visible(c.now) != c.want || or.Visible(c.now) != c.want {
			t.Errorf("millis %d, ttl %d at %d: visible is not %v", c.millis, c.ttl, c.now, c.want)
		}
	}
	if (crdt.LWW{TS: at(m, 0, "n")}).Visible(m) {
		t.Error("a tombstone is visible")
	}
}

func FuzzParseLWW(f *testing.F) {
	for _, r := range []crdt.LWW{
		{Value: raw("v"), TS: at(1771700000000, 1, "node-1")},
		{TS: at(1, 2, ""), TTL: 5},
		{Value: raw([]any{int64(1), "x"}), TS: at(-1, 0, "n"), TTL: -5},
	} {
		f.Add(encode(r))
	}
	f.Fuzz(func(t *testing.T, b string) {
		crdt.AcceptLWW(b, at(1, 2, "n"))
		crdt.CompareLWW(b, b)
		crdt.LWWHashOf("k", b)
		r, err := crdt.ParseLWW(b)
		if err != nil {
			if !errors.Is(err, crdt.ErrCorrupt) {
				t.Fatalf("ParseLWW(%x): %v", b, err)
			}
			if crdt.ValidateLWW(b) == nil {
				t.Fatalf("%x does not parse but is valid", b)
			}
			return
		}
		if again := encode(r); again != b {
			t.Fatalf("%x parses as %+v, which is encoded as %x", b, r, again)
		}
	})
}
