package wire

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

func TestOpKind(t *testing.T) {
	record := Given(LWWRecord{Value: value.Raw{7}})
	tombstone := Given(LWWRecord{Value: value.Raw{0xc0}})
	null := Nullable[LWWRecord]{State: Nil}
	tag, or := Some("t"), Some(ORRecord{})
	for _, c := range []struct {
		name string
		op   ClientOp
		want OpKind
	}{
		{"PUT with a record", ClientOp{OpType: "PUT", Record: record}, OpPut},
		{"a record alone", ClientOp{Record: record}, OpPut},
		{"PUT of nil", ClientOp{OpType: "PUT", Record: tombstone}, OpRemove},
		{"PUT of a record without a value", ClientOp{OpType: "PUT", Record: Given(LWWRecord{})}, OpRemove},
		{"REMOVE with a tombstone", ClientOp{OpType: "REMOVE", Record: tombstone}, OpRemove},
		{"REMOVE with a value", ClientOp{OpType: "REMOVE", Record: record}, OpRemove},
		{"REMOVE without a record", ClientOp{OpType: "REMOVE"}, OpRemove},
		{"a nil record", ClientOp{Record: null}, OpRemove},
		{"OR_ADD", ClientOp{OpType: "OR_ADD", ORRecord: or}, OpORAdd},
		{"an OR record alone", ClientOp{ORRecord: or}, OpORAdd},
		{"OR_ADD goes before a nil record", ClientOp{OpType: "OR_ADD", Record: null}, OpORAdd},
		{"OR_REMOVE", ClientOp{OpType: "OR_REMOVE", ORTag: tag}, OpORRemove},
		{"a tag alone", ClientOp{ORTag: tag}, OpORRemove},
		{"an OR record goes before a tag", ClientOp{OpType: "OR_REMOVE", ORRecord: or, ORTag: tag}, OpORAdd},
		{"a type that is not known", ClientOp{OpType: "UPSERT", Record: record}, OpPut},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.op.Kind(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestWriteConcernRank(t *testing.T) {
	order := []WriteConcern{"", FireAndForget, Memory, Applied, Replicated, Persisted}
	for i, w := range order {
		if w.Rank() != i {
			t.Errorf("%q has rank %d, want %d", w, w.Rank(), i)
		}
	}
}

func TestBuckets(t *testing.T) {
	var b Buckets
	b.Set(15, 5)
	b.Set(0, 0)
	b.Set(10, 7)
	if hash, ok := b.Get(0); hash != 0 || !ok {
		t.Error("a child with hash 0 is there")
	}
	if _, ok := b.Get(1); ok {
		t.Error("a child that was not set is there")
	}
	var got []int
	for digit, hash := range b.All() {
		got = append(got, digit, int(hash))
	}
	if want := []int{0, 0, 10, 7, 15, 5}; b.Len() != 3 || len(got) != len(want) || got[2] != 10 || got[3] != 7 || got[4] != 15 {
		t.Errorf("%v, want %v", got, want)
	}
	if text := string(b.appendTo(nil)); text != "\x83\xa10\x00\xa1a\x07\xa1f\x05" {
		t.Errorf("%q", text)
	}
}
