package backingtest

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

var seedFlag = flag.Uint64("backing.seed", 0, "replay the random tests of backing stores with this seed")

// Seed returns the seed of a random test: a fresh one, or the one given by
// -backing.seed. A test that fails prints how to replay it.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := *seedFlag
	for seed == 0 {
		seed = rand.Uint64()
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("replay with: go test -run '^%s$' -backing.seed=%d", tb.Name(), seed)
		}
	})
	return seed
}

// oddNames are names of maps, and keys, that try the order and the encoding.
var oddNames = []string{
	"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x00", "a\x00\x01", "a\x00\xff",
	"a\x00b", "a\x01", "a\xff", "ab", "b", "\xff", "\xff\xff", "\xff\x00", "Ä", "日本語", "\U0001F600", "\xed\xa0\x80",
	strings.Repeat("long", 300),
}

// OddKeys returns keys that differ in each part and are hard to keep in order,
// ascending.
func OddKeys() []backing.Key {
	var keys []backing.Key
	for _, name := range oddNames {
		for _, tenant := range []uint32{0, 1, math.MaxUint32} {
			keys = append(keys, backing.Key{Tenant: tenant, Map: name, Partition: 7, Hash: 9, Key: "k"})
		}
		for _, p := range []partition.ID{0, 1, 255, 256, partition.Count - 1, math.MaxUint16} {
			keys = append(keys, backing.Key{Map: name, Partition: p, Key: name})
		}
	}
	for _, key := range oddNames {
		for _, h := range []uint32{0, 1, 0x00ff_ffff, 0x0100_0000, math.MaxUint32} {
			keys = append(keys, backing.Key{Map: "m", Partition: 3, Hash: h, Key: key})
		}
	}
	slices.SortFunc(keys, backing.Key.Compare)
	return slices.Compact(keys)
}

// Generator makes random checkpoints over a bounded set of keys, so that later
// ones overwrite and delete what earlier ones wrote.
type Generator struct {
	Rand *rand.Rand

	// Keys is how many different keys there are, in a handful of maps.
	Keys int

	// StateBytes is the longest state made.
	StateBytes int

	mark backing.Mark
	seq  uint64
}

// Checkpoint returns n writes or a few less, ascending, and the next mark.
func (g *Generator) Checkpoint(n int) ([]backing.Write, backing.Mark) {
	writes := make([]backing.Write, 0, n)
	for range n {
		writes = append(writes, g.write())
	}
	slices.SortFunc(writes, func(a, b backing.Write) int { return a.Compare(b.Key) })
	writes = slices.CompactFunc(writes, func(a, b backing.Write) bool { return a.Key == b.Key })
	return writes, g.Mark()
}

func (g *Generator) write() backing.Write {
	g.seq++
	w := backing.Write{Row: backing.Row{Key: g.key(), Seq: g.seq, Arrival: g.Rand.Uint64(), Kind: uint8(g.Rand.IntN(4))}}
	if w.Delete = g.Rand.IntN(5) == 0; !w.Delete {
		w.State = make([]byte, g.Rand.IntN(g.StateBytes+1))
		for i := range w.State {
			w.State[i] = byte(g.Rand.Uint32())
		}
	}
	return w
}

func (g *Generator) key() backing.Key {
	n := g.Rand.IntN(g.Keys)
	key := fmt.Sprintf("key-%d", n)
	if n < len(oddNames) {
		key = oddNames[n]
	}
	h := hash.Key(key)
	return backing.Key{
		Tenant:    uint32(n % 2),
		Map:       fmt.Sprintf("map-%d", n%5),
		Partition: partition.Of(h),
		Hash:      h,
		Key:       key,
	}
}

// Mark returns a mark that follows all the marks before it.
func (g *Generator) Mark() backing.Mark {
	next := g.mark.Clone()
	if next.Partitions == nil {
		next.Partitions = map[partition.ID]backing.Pos{}
	}
	next.LSN += uint64(g.Rand.IntN(1000))
	id := partition.ID(g.Rand.IntN(partition.Count))
	pos := next.Partitions[id]
	if g.Rand.IntN(20) == 0 {
		pos = backing.Pos{Epoch: pos.Epoch + 1}
	}
	pos.Seq += uint64(g.Rand.IntN(100))
	next.Partitions[id] = pos
	g.mark = next
	return next.Clone()
}

// Ranges returns a few random ranges, some of them empty or overlapping.
func (g *Generator) Ranges() []backing.Range {
	ranges := make([]backing.Range, g.Rand.IntN(4))
	for i := range ranges {
		k := g.key()
		switch g.Rand.IntN(6) {
		case 0:
			ranges[i] = backing.MapRange(k.Tenant, k.Map)
		case 1:
			lo := g.Rand.Uint32()
			ranges[i] = backing.HashRange(k.Tenant, k.Map, k.Partition, [2]uint32{lo, lo | 0x3fff_ffff})
		case 2:
			ranges[i] = backing.Range{From: k, To: k.Next()}
		case 3:
			ranges[i] = backing.Range{From: g.key(), To: g.key()}
		default:
			ranges[i] = backing.PartitionRange(k.Tenant, k.Map, k.Partition)
		}
	}
	return ranges
}
