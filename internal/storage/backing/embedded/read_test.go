package embedded

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// TestMissesReadNoRows pins that the filters of all levels are asked: a new key,
// of which there are many, must not cost a read of the disk.
func TestMissesReadNoRows(t *testing.T) {
	var reads atomic.Int64
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt {
			reads.Add(1)
		}
		return nil
	}))
	rows := dataset(20_000)
	s := mustOpen(t, disk, Options{})
	for i := range 3 {
		if err := s.Apply(t.Context(), slices.Values(rows[i:]), backing.Mark{}); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	s = mustOpen(t, disk, Options{still: true})
	miss := func(i int) {
		t.Helper()
		if _, found, err := s.Load(t.Context(), rows[i].Key.Next()); err != nil || found {
			t.Fatalf("Load: %t, %v, want nothing", found, err)
		}
	}
	for i := range 10 {
		miss(i)
	}
	reads.Store(0)
	const misses = 1000
	for i := range misses {
		miss(i * len(rows) / misses)
	}
	if n := reads.Load(); n > misses/10 {
		t.Errorf("%d misses cost %d reads", misses, n)
	}
	mustClose(t, s)
}

func BenchmarkKey(b *testing.B) {
	key := dataset(1)[0].Key
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for range b.N {
		buf = appendKey(buf[:0], &key)
	}
}
