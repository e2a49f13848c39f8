package counter_test

import (
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// one is a write that has nothing to do with counters.
func one(n int) []records.Op {
	return []records.Op{gridtest.Put("notes", "k", gridtest.Int(1), gridtest.At(int64(n)/100, string(rune('a'+n%100))))}
}
