package log

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// wallClock is for benchmarks alone.
type wallClock struct{ stillClock }

func (wallClock) Now() time.Time { return time.Now() }

var _ clock.Clock = wallClock{}

// BenchmarkAppend is the hot path of a lane; Steps take the groups away, to a
// disk that costs nothing.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{200, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			l, err := Open(discard(), testDir, stillClock{}, Options{SegmentBytes: 1 << 50, ZeroAhead: -1})
			if err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Append(1, payload); err != nil {
					b.Fatal(err)
				}
				if len(l.gather.buf) > 1<<20 {
					if _, err := l.Step(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkAppendParallel(b *testing.B) {
	l, err := Open(discard(), testDir, stillClock{}, Options{SegmentBytes: 1 << 50, ZeroAhead: -1})
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 4<<10)
	b.SetBytes(int64(len(payload)))
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, err := l.Append(1, payload); err != nil {
				b.Error(err)
			}
			if n%100 == 0 {
				_, _ = l.Step()
			}
		}
	})
}

// discard is a file system whose files forget what is written to them.
func discard() *forgetful { return &forgetful{vfs.NewMem()} }

type forgetful struct{ vfs.FS }

func (f *forgetful) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return forgetfulFile{file}, err
}

type forgetfulFile struct{ vfs.File }

func (forgetfulFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

// BenchmarkGroupCommit makes groups of 20 KB durable on the disk under the
// directory for temporary files, with zeros written ahead and without. The two
// take turns, so that they see the same disk. Medians and 99th percentiles.
func BenchmarkGroupCommit(b *testing.B) {
	modes := []struct {
		name  string
		ahead int
		log   *Log
		took  []time.Duration
	}{{"grow", -1, nil, nil}, {"64K", 64 << 10, nil, nil}, {"256K", 256 << 10, nil, nil}, {"1M", 1 << 20, nil, nil}}
	for i := range modes {
		m := &modes[i]
		opt := Options{ZeroAhead: m.ahead, OnSync: func(took time.Duration, _ int) { m.took = append(m.took, took) }}
		l, err := Open(vfs.Default, b.TempDir(), wallClock{}, opt)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		m.log = l
	}
	payload := make([]byte, 4<<10)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	for b.Loop() {
		for i := range modes {
			for range 5 {
				if _, err := modes[i].log.Append(1, payload); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := modes[i].log.Step(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, m := range modes {
		slices.Sort(m.took)
		var sum time.Duration
		for _, d := range m.took {
			sum += d
		}
		n := len(m.took)
		b.ReportMetric(float64(m.took[n/2].Microseconds()), "µs-p50-"+m.name)
		b.ReportMetric(float64(m.took[n*99/100].Microseconds()), "µs-p99-"+m.name)
		b.ReportMetric(float64(sum.Microseconds())/float64(n), "µs-mean-"+m.name)
		if err := m.log.DropBefore(m.log.Durable()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplay reads a log of 64 MB that is in the cache of the system.
func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(vfs.Default, dir, stillClock{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	payload := make([]byte, 4<<10)
	for range 64 << 20 / len(payload) {
		if _, err := l.Append(1, payload); err == nil && len(l.gather.buf) < 1<<20 {
			continue
		}
		if _, err := l.Step(); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(l.Retained())
	for b.Loop() {
		if err := l.Replay(0, func(LSN, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
