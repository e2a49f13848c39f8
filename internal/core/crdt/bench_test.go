package crdt_test

import (
	"fmt"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

const benchNode = "550e8400-e29b-41d4-a716-446655440000"

var document = raw(map[string]any{"id": "todo-123", "title": "Buy milk", "done": false, "rank": int64(7)})

func BenchmarkAcceptLWW(b *testing.B) {
	stored := encode(crdt.LWW{Value: document, TS: at(1771700000123, 0, benchNode)})
	for name, ts := range map[string]hlc.Timestamp{
		"newer":     at(1771700000124, 0, benchNode),
		"duplicate": at(1771700000123, 0, benchNode),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n += crdt.AcceptLWW(stored, ts)
			}
		})
	}
}

func BenchmarkAppendLWW(b *testing.B) {
	b.ReportAllocs()
	r := crdt.LWW{Value: document, TS: at(1771700000123, 0, benchNode)}
	var dst []byte
	for b.Loop() {
		dst = crdt.AppendLWW(dst[:0], r)
	}
}

func BenchmarkParseLWW(b *testing.B) {
	b.ReportAllocs()
	stored := encode(crdt.LWW{Value: document, TS: at(1771700000123, 0, benchNode)})
	for b.Loop() {
		if _, err := crdt.ParseLWW(stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLWWHash(b *testing.B) {
	b.ReportAllocs()
	ts := at(1771700000123, 0, benchNode)
	for b.Loop() {
		crdt.LWWHash("todo-123", ts)
	}
}

func orRecord(i int) crdt.ORRecord {
	ts := at(1771700000000+int64(i), 0, benchNode)
	return crdt.ORRecord{Tag: ts.String(), Value: document, TS: ts}
}

func orOf(b *testing.B, n int) crdt.ORState {
	b.Helper()
	var s crdt.ORState
	for i := range n {
		s = apply(b, s, orOp{rec: orRecord(2 * i)})
	}
	return s
}

func BenchmarkOR(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		s := orOf(b, n)
		var dst []byte
		b.Run(fmt.Sprintf("add/to=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			r := orRecord(n)
			for b.Loop() {
				dst, _, _, _ = s.Add(dst[:0], r)
			}
		})
		b.Run(fmt.Sprintf("remove/from=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			tag := orRecord(0).Tag
			for b.Loop() {
				dst, _, _, _, _ = s.Remove(dst[:0], tag, 1771700000000)
			}
		})
		b.Run(fmt.Sprintf("hash/of=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Hash("tags")
			}
		})
	}
}

func BenchmarkMergeOR(b *testing.B) {
	b.ReportAllocs()
	s, remote := orOf(b, 100), orOf(b, 50)
	remote = apply(b, remote, orOp{rec: orRecord(77)})
	var dst []byte
	for b.Loop() {
		dst, _, _ = s.Merge(dst[:0], remote)
	}
}

func BenchmarkMergeCounter(b *testing.B) {
	b.ReportAllocs()
	local, remote := counts{}, counts{}
	for i := range 20 {
		local[fmt.Sprint("node-", i)] = float64(i)
		remote[fmt.Sprint("node-", i)] = 10
	}
	x, y := counter(b, local, local), counter(b, remote, local)
	var dst []byte
	for b.Loop() {
		dst, _, _ = x.Merge(dst[:0], y)
	}
}
