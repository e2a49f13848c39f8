package crdt_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// orOp is one operation on a key: the addition of a record, or the removal of
// its tag.
type orOp struct {
	rec    crdt.ORRecord
	remove bool
	at     int64
}

// tags have a few that sort differently by UTF-16 unit than by byte, and
// prefixes of each other.
var tags = []string{"1:0:a", "1:0:ab", "1:1:a", "10:0:a", "2:0:b", "\uffee", "\U0001f600", "\ud7ff", "é", "e", "1:0:node-1"}

// orOps draws operations whose content follows from tag and timestamp.
func orOps() *rapid.Generator[orOp] {
	return rapid.Custom(func(t *rapid.T) orOp {
		op := orOp{rec: crdt.ORRecord{Tag: rapid.SampledFrom(tags).Draw(t, "tag")}}
		if op.remove = rapid.IntRange(0, 3).Draw(t, "remove") == 0; op.remove {
			op.at = rapid.Int64Range(-1, 3).Draw(t, "at")
			return op
		}
		op.rec.TS = at(rapid.Int64Range(1, 2).Draw(t, "millis"), 0, rapid.SampledFrom([]string{"", "a", "node-1"}).Draw(t, "node"))
		h := hash.Key(op.rec.Tag + op.rec.TS.String())
		op.rec.Value = raw(fmt.Sprint("value ", h))
		if op.rec.HasTTL = h%3 == 0; op.rec.HasTTL {
			op.rec.TTL = int64(h % 2 * 1000)
		}
		return op
	})
}

func apply(t interface{ Fatalf(string, ...any) }, s crdt.ORState, op orOp) crdt.ORState {
	var (
		next    []byte
		changed bool
		err     error
	)
	const before = "before"
	if op.remove {
		next, _, _, changed, err = s.Remove([]byte(before), op.rec.Tag, op.at)
	} else {
		next, _, changed, err = s.Add([]byte(before), op.rec)
	}
	if err != nil || string(next[:len(before)]) != before {
		t.Fatalf("%+v: %v, result %x", op, err, next)
	}
	state := crdt.ORState(next[len(before):])
	if !changed {
		if state != "" {
			t.Fatalf("%+v changed nothing but returned %x", op, state)
		}
		return s
	}
	if state == s {
		t.Fatalf("%+v claims a change and returned the same state", op)
	}
	if err := state.Validate(); err != nil {
		t.Fatalf("%+v leads to an invalid state %x: %v", op, state, err)
	}
	return state
}

// twin is the obvious implementation: two maps.
type twin struct {
	live map[string]crdt.ORRecord
	dead map[string]int64
}

func newTwin() twin { return twin{map[string]crdt.ORRecord{}, map[string]int64{}} }

func (w twin) apply(op orOp) {
	tag := op.rec.Tag
	when, isDead := w.dead[tag]
	old, isLive := w.live[tag]
	switch {
	case op.remove:
		delete(w.live, tag)
		if !isDead || op.at < when {
			w.dead[tag] = op.at
		}
	case isDead || isLive && hlc.Compare(op.rec.TS, old.TS) <= 0:
	default:
		w.live[tag] = op.rec
	}
}

func (w twin) tags() []string { return sortedAsInJavaScript(slices.Collect(maps.Keys(w.live))) }

func sortedAsInJavaScript(tags []string) []string {
	slices.SortFunc(tags, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	return tags
}

// hash is the entry hash over a text that is really built.
func (w twin) hash(key string) uint32 {
	if len(w.live) == 0 {
		return 0
	}
	var text strings.Builder
	text.WriteString("key:" + key)
	for _, tag := range w.tags() {
		r := w.live[tag]
		fmt.Fprintf(&text, "|%s:%s:%d:%d:%s", tag, value.AppendCanonical(nil, r.Value), r.TS.Millis, r.TS.Counter, r.TS.Node)
		if r.HasTTL {
			fmt.Fprint(&text, ":ttl=", r.TTL)
		}
	}
	return hash.Key(text.String())
}

func equalRecords(a, b crdt.ORRecord) bool {
	return a.Tag == b.Tag && value.Equal(a.Value, b.Value) && a.TS == b.TS && a.TTL == b.TTL && a.HasTTL == b.HasTTL
}

func TestSetBehavesLikeTwoMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s crdt.ORState
		w := newTwin()
		for _, op := range rapid.SliceOfN(orOps(), 0, 30).Draw(t, "ops") {
			s = apply(t, s, op)
			w.apply(op)
		}
		if s.Live() != len(w.live) || s.Dead() != len(w.dead) {
			t.Fatalf("%d live and %d dead, want %d and %d", s.Live(), s.Dead(), len(w.live), len(w.dead))
		}
		var order []string
		for r := range s.Records() {
			if !equalRecords(r, w.live[r.Tag]) {
				t.Fatalf("record %+v, want %+v", r, w.live[r.Tag])
			}
			order = append(order, r.Tag)
		}
		if !slices.Equal(order, w.tags()) {
			t.Fatalf("tags are in order %q, want %q", order, w.tags())
		}
		order = nil
		for tag, when := range s.Tombstones() {
			if when != w.dead[tag] {
				t.Fatalf("tag %q was removed at %d, want %d", tag, when, w.dead[tag])
			}
			order = append(order, tag)
		}
		if want := sortedAsInJavaScript(slices.Collect(maps.Keys(w.dead))); !slices.Equal(order, want) {
			t.Fatalf("tombstones are in order %q, want %q", order, want)
		}
		if got, want := s.Hash("k"), w.hash("k"); got != want {
			t.Fatalf("hash %d, want %d", got, want)
		}
	})
}

func TestAddSaysWhatItReplaced(t *testing.T) {
	old := crdt.ORRecord{Tag: "t", Value: raw("old"), TS: at(5, 0, "n")}
	next := crdt.ORRecord{Tag: "t", Value: raw("new"), TS: at(6, 0, "n")}
	s1, prev, changed, err := crdt.ORState("").Add(nil, old)
	if err != nil || !changed || prev.Tag != "" {
		t.Fatalf("first add: prev %+v, changed %v, %v", prev, changed, err)
	}
	s2, prev, changed, err := crdt.ORState(s1).Add(nil, next)
	if err != nil || !changed || !equalRecords(prev, old) {
		t.Fatalf("newer add: prev %+v, changed %v, %v", prev, changed, err)
	}
	for _, r := range []crdt.ORRecord{old, {Tag: "t", Value: raw("same time"), TS: next.TS}} {
		s3, _, changed, err := crdt.ORState(s2).Add(nil, r)
		if err != nil || changed || len(s3) != 0 {
			t.Errorf("add of %+v: changed %v, %v", r, changed, err)
		}
	}
}

func TestRemoveSaysWhatItRemoved(t *testing.T) {
	rec := crdt.ORRecord{Tag: "5:0:n", Value: raw("v"), TS: at(5, 0, "n")}
	s, _, _, err := crdt.ORState("").Add(nil, rec)
	if err != nil {
		t.Fatal(err)
	}
	next, removed, hadLive, changed, err := crdt.ORState(s).Remove(nil, rec.Tag, 70)
	if err != nil || !changed || !hadLive || !equalRecords(removed, rec) {
		t.Fatalf("removed %+v, live %v, changed %v, %v", removed, hadLive, changed, err)
	}
	state := crdt.ORState(next)
	if state.Live() != 0 || state.Dead() != 1 || state.Hash("k") != 0 {
		t.Errorf("after the removal: %d live, %d dead, hash %d", state.Live(), state.Dead(), state.Hash("k"))
	}
	if _, _, hadLive, changed, _ := state.Remove(nil, rec.Tag, 71); hadLive || changed {
		t.Error("a later repetition of the removal changed something")
	}
	if _, _, changed, _ := state.Add(nil, crdt.ORRecord{Tag: rec.Tag, TS: at(9, 0, "n")}); changed {
		t.Error("a removed tag came back")
	}
}

func TestEmptyTagsAreRefused(t *testing.T) {
	if next, _, changed, err := crdt.ORState("").Add(nil, crdt.ORRecord{}); !errors.Is(err, crdt.ErrNoTag) || changed || next != nil {
		t.Errorf("Add: %v, changed %v", err, changed)
	}
	if next, _, _, changed, err := crdt.ORState("").Remove(nil, "", 1); !errors.Is(err, crdt.ErrNoTag) || changed || next != nil {
		t.Errorf("Remove: %v, changed %v", err, changed)
	}
}

func TestForgetDropsChosenTombstonesOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s crdt.ORState
		w := newTwin()
		for _, op := range rapid.SliceOfN(orOps(), 0, 20).Draw(t, "ops") {
			s = apply(t, s, op)
			w.apply(op)
		}
		limit := rapid.Int64Range(-2, 4).Draw(t, "limit")
		next, gone, dropped, err := s.Forget([]byte("x"), func(_ string, at int64) bool { return at < limit })
		if err != nil || next[0] != 'x' {
			t.Fatalf("forget: %v", err)
		}
		before := maps.Clone(w.dead)
		maps.DeleteFunc(w.dead, func(_ string, at int64) bool { return at < limit })
		maps.DeleteFunc(before, func(_ string, at int64) bool { return at >= limit })
		if dropped != len(before) {
			t.Fatalf("dropped %d, want %d", dropped, len(before))
		}
		if dropped == 0 {
			return
		}
		if err := gone.Validate(); err != nil || gone.Live() != 0 || !maps.Equal(maps.Collect(gone.Tombstones()), before) {
			t.Fatalf("gone is %x, %v, want %v", gone, err, before)
		}
		after := crdt.ORState(next[1:])
		if err := after.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := maps.Collect(after.Tombstones()); !maps.Equal(got, w.dead) || after.Hash("k") != s.Hash("k") {
			t.Fatalf("left with %v, want %v", got, w.dead)
		}
	})
}

func TestTagOrderIsThatOfUTF16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.SampledFrom([]rune{'a', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff})
		text := rapid.Map(rapid.SliceOfN(runes, 1, 3), func(r []rune) string { return string(r) })
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		var s crdt.ORState
		for _, tag := range []string{a, b} {
			s = apply(t, s, orOp{rec: crdt.ORRecord{Tag: tag}})
		}
		var got []string
		for r := range s.Records() {
			got = append(got, r.Tag)
		}
		if want := slices.Compact(sortedAsInJavaScript([]string{a, b})); !slices.Equal(got, want) {
			t.Fatalf("order %+q, want %+q", got, want)
		}
	})
}

func FuzzORState(f *testing.F) {
	var s crdt.ORState
	for i, tag := range tags {
		f.Add(string(s))
		s = apply(f, s, orOp{rec: crdt.ORRecord{
			Tag: tag, Value: raw(map[string]any{"i": int64(i)}), TS: at(int64(i), 1, tag[len(tag)/2:]), TTL: math.MinInt64, HasTTL: i%2 == 0,
		}})
		s = apply(f, s, orOp{rec: crdt.ORRecord{Tag: tag + "-"}, remove: true, at: int64(-i)})
	}
	f.Add(string(s))
	f.Add("\x20\x00\x00\x00")
	f.Fuzz(func(t *testing.T, b string) {
		s := crdt.ORState(b)
		s.Hash("k")
		live, dead := 0, 0
		var rebuilt crdt.ORState
		valid := s.Validate()
		if valid != nil && !errors.Is(valid, crdt.ErrCorrupt) {
			t.Fatal(valid)
		}
		for r := range s.Records() {
			live++
			if valid == nil {
				rebuilt = apply(t, rebuilt, orOp{rec: r})
			}
		}
		for tag, at := range s.Tombstones() {
			dead++
			if valid == nil {
				rebuilt = apply(t, rebuilt, orOp{rec: crdt.ORRecord{Tag: tag}, remove: true, at: at})
			}
		}
		if valid == nil && (rebuilt != s || live != s.Live() || dead != s.Dead()) {
			t.Fatalf("%x is valid, but its entries make %x", b, rebuilt)
		}
		for _, f := range []func() error{
			func() error { _, _, _, err := s.Add(nil, crdt.ORRecord{Tag: "t"}); return err },
			func() error { _, _, _, _, err := s.Remove(nil, "t", 1); return err },
			func() error { _, _, err := s.Merge(nil, s); return err },
			func() error { _, _, _, err := s.Forget(nil, func(string, int64) bool { return true }); return err },
		} {
			if err := f(); err != nil && (valid == nil || !errors.Is(err, crdt.ErrCorrupt)) {
				t.Fatalf("%x: %v, but Validate says %v", b, err, valid)
			}
		}
	})
}
