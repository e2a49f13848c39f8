package embedded

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// dataset is n rows of one map as a checkpoint would have them: states of a
// hundred bytes that look like small documents, half of it incompressible.
func dataset(n int) []backing.Write {
	r := rand.New(rand.NewPCG(1, 1))
	writes := make([]backing.Write, n)
	for i := range writes {
		key := fmt.Sprintf("user:%08d", i)
		h := hash.Key(key)
		state := fmt.Appendf(make([]byte, 0, 100), "\x84\xa4name\xaaUser %05d\xa5email\xb2user%06d@mail.org\xa4city\xa6Berlin", i%99999, i)
		for len(state) < 100 {
			state = append(state, byte(r.Uint32()))
		}
		writes[i] = backing.Write{Row: backing.Row{
			Key:  backing.Key{Map: "users", Partition: partition.Of(h), Hash: h, Key: key},
			Kind: 1, Seq: uint64(i), Arrival: 1<<60 + uint64(i)<<16, State: state,
		}}
	}
	slices.SortFunc(writes, func(a, b backing.Write) int { return a.Compare(b.Key) })
	return writes
}

// sparse yields about n rows, chosen at random all over writes.
func sparse(r *rand.Rand, writes []backing.Write, n int) iter.Seq[backing.Write] {
	return func(yield func(backing.Write) bool) {
		for i := range writes {
			if r.IntN(len(writes)) < n && !yield(writes[i]) {
				return
			}
		}
	}
}

func benchOpen(b *testing.B, opt Options) *Store {
	b.Helper()
	s, err := Open(vfs.Default, b.TempDir(), quiet, opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, backing.ErrClosed) {
			b.Error(err)
		}
	})
	return s
}

func benchApply(b *testing.B, s *Store, rows iter.Seq[backing.Write]) {
	b.Helper()
	if err := s.Apply(b.Context(), rows, backing.Mark{}); err != nil {
		b.Fatal(err)
	}
}

// size writes n as people say it.
func size(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%dM", n/1_000_000)
	}
	return fmt.Sprintf("%dk", n/1000)
}

var compressions = []struct {
	name string
	c    Compression
}{{"fast", CompressionFast}, {"none", CompressionNone}, {"small", CompressionSmall}}

// BenchmarkApplyNew writes rows into an empty store.
func BenchmarkApplyNew(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		rows := dataset(n)
		for _, c := range compressions {
			b.Run(size(n)+"/"+c.name, func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					s := benchOpen(b, Options{Compression: c.c})
					b.StartTimer()
					benchApply(b, s, slices.Values(rows))
					b.StopTimer()
					b.ReportMetric(float64(s.Stats().DiskBytes)/float64(n), "disk-B/row")
					b.StartTimer()
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkApplyOver writes all rows of a store again and again.
func BenchmarkApplyOver(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		rows := dataset(n)
		b.Run(size(n), func(b *testing.B) {
			s := benchOpen(b, Options{})
			benchApply(b, s, slices.Values(rows))
			b.ResetTimer()
			for range b.N {
				benchApply(b, s, slices.Values(rows))
			}
			report(b, s, n)
		})
	}
}

// BenchmarkApplySparse writes some of the rows of a large store, all over it:
// what checkpoints of a busy grid look like.
func BenchmarkApplySparse(b *testing.B) {
	rows := dataset(1_000_000)
	for _, n := range []int{1000, 10_000, 100_000} {
		for _, table := range []int{2 << 20, 8 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s of 1M/tables of %dMiB", size(n), table>>20), func(b *testing.B) {
				s := benchOpen(b, Options{TableBytes: table})
				benchApply(b, s, slices.Values(rows))
				r := rand.New(rand.NewPCG(1, 2))
				b.ResetTimer()
				for range b.N {
					benchApply(b, s, sparse(r, rows, n))
				}
				report(b, s, n)
			})
		}
	}
}

// report reports what checkpoints of n rows cost and what they leave.
func report(b *testing.B, s *Store, n int) {
	b.Helper()
	b.StopTimer()
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
	m, st := s.in.db.Metrics(), s.Stats()
	total := m.Total()
	b.ReportMetric(float64(total.TableBytesIngested+total.TableBytesCompacted)/float64(total.TableBytesIngested), "write-amp")
	b.ReportMetric(float64(m.DiskSpaceUsage())/(1<<20), "disk-MiB")
	b.ReportMetric(float64(st.ReadDepth), "depth")
	b.ReportMetric(float64(st.Waits), "waits")
}

// benchLoaded is a store of a million rows, written once and then rewritten
// here and there, as it stands after a while.
func benchLoaded(b *testing.B, opt Options) (*Store, []backing.Write) {
	b.Helper()
	rows := dataset(1_000_000)
	s := benchOpen(b, opt)
	benchApply(b, s, slices.Values(rows))
	r := rand.New(rand.NewPCG(1, 3))
	for range 10 {
		benchApply(b, s, sparse(r, rows, 20_000))
	}
	return s, rows
}

func BenchmarkLoad(b *testing.B) {
	for _, cache := range []int64{16 << 20, 64 << 20, 256 << 20} {
		s, rows := benchLoaded(b, Options{CacheBytes: cache})
		r := rand.New(rand.NewPCG(1, 4))
		for range len(rows) {
			load(b, s, rows[r.IntN(len(rows))].Key, true)
		}
		name := fmt.Sprintf("cache of %dMiB", cache>>20)
		b.Run(name+"/hit", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				load(b, s, rows[r.IntN(len(rows))].Key, true)
			}
		})
		b.Run(name+"/miss", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				load(b, s, rows[r.IntN(len(rows))].Key.Next(), false)
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func load(b *testing.B, s *Store, key backing.Key, want bool) {
	b.Helper()
	if _, found, err := s.Load(b.Context(), key); err != nil || found != want {
		b.Fatal(key, found, err)
	}
}

func BenchmarkScan(b *testing.B) {
	for _, c := range compressions {
		b.Run(c.name, func(b *testing.B) {
			s, _ := benchLoaded(b, Options{Compression: c.c})
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for n < b.N {
				err := s.Scan(b.Context(), backing.Range{}, func(backing.Row) (bool, error) {
					n++
					return n < b.N, nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens and closes a store of a million rows.
func BenchmarkOpen(b *testing.B) {
	s, _ := benchLoaded(b, Options{})
	dir := s.place.dir
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		s, err := Open(vfs.Default, dir, quiet, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory reports what a store of a million rows takes of the process
// when a checkpoint of all of them has just been written.
func BenchmarkMemory(b *testing.B) {
	rows := dataset(1_000_000)
	before := resident(b)
	for range b.N {
		s := benchOpen(b, Options{})
		benchApply(b, s, slices.Values(rows))
		benchApply(b, s, slices.Values(rows))
		b.ReportMetric(float64(resident(b)-before)/1024, "rss-MiB")
	}
}

// resident is the resident memory of the process in KiB, where it can be read.
func resident(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib
}
