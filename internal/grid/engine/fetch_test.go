package engine

import (
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// TestBareRowsAreWithoutTheirStates: what a filter is made of takes no more memory
// where the records are large.
func TestBareRowsAreWithoutTheirStates(t *testing.T) {
	store := memory.New()
	row := backing.Row{Key: backing.Key{Map: "m", Key: "k"}, Kind: 1, Seq: 1, State: []byte("state")}
	if err := store.Apply(t.Context(), slices.Values([]backing.Write{{Row: row}}), backing.Mark{LSN: 1}); err != nil {
		t.Fatal(err)
	}
	f := newFetcher(t.Context(), store, nil, &loadStats{})
	for _, bare := range []bool{false, true} {
		w := &lane.Want{Ranges: []backing.Range{backing.PartitionRange(0, "m", 0)}, Limit: 1, Bare: bare}
		if err := f.scan(w); err != nil || len(w.Rows) != 1 || w.Rows[0].Key.Key != "k" || (len(w.Rows[0].State) == 0) != bare {
			t.Errorf("bare %t: %+v, %v", bare, w.Rows, err)
		}
	}
}
