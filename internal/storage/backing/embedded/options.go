package embedded

import (
	"cmp"
	"errors"
	"fmt"
)

// Options configures a Store. The zero value of every field means its default.
type Options struct {
	// CacheBytes bounds the cache of uncompressed blocks, and with it most of
	// the memory that the store takes. Default 64 MiB.
	CacheBytes int64

	// TableBytes is about how many bytes of rows go into one table of a
	// checkpoint. Smaller tables let a compaction take a smaller bite, larger
	// ones cost fewer syncs. Default 8 MiB.
	TableBytes int

	// Compression of tables. Default CompressionFast.
	Compression Compression

	// Compactions is how many compactions run at once. Default 1, which leaves
	// the second core of a small machine to the grid.
	Compactions int

	// CompactDepth is the number of overlapping checkpoints at which they are
	// compacted into the levels below. Default 4.
	CompactDepth int

	// MaxDepth is the number of overlapping checkpoints at which Apply waits
	// for a compaction, and so the bound, give or take one, on what a read
	// costs. Default 12; more than CompactDepth.
	MaxDepth int

	// MaxOpenFiles bounds the files kept open. Default 1000.
	MaxOpenFiles int

	// still switches compactions off, for tests that count file operations.
	still bool
}

// Compression names how blocks are compressed.
type Compression uint8

const (
	// CompressionFast spends little time: snappy, or the like.
	CompressionFast Compression = iota

	// CompressionNone stores blocks as they are.
	CompressionNone

	// CompressionSmall spends more time on less space: zstd in the two lowest
	// levels, where nine rows in ten are, and CompressionFast above them.
	CompressionSmall
)

func (o Options) withDefaults() Options {
	o.CacheBytes = cmp.Or(o.CacheBytes, 64<<20)
	o.TableBytes = cmp.Or(o.TableBytes, 8<<20)
	o.Compactions = cmp.Or(o.Compactions, 1)
	o.CompactDepth = cmp.Or(o.CompactDepth, 4)
	o.MaxDepth = cmp.Or(o.MaxDepth, 12)
	o.MaxOpenFiles = cmp.Or(o.MaxOpenFiles, 1000)
	return o
}

// validate returns every complaint at once.
func (o Options) validate() error {
	var errs []error
	complain := func(broken bool, format string, args ...any) {
		if broken {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(o.CacheBytes < 0, "CacheBytes %d is negative", o.CacheBytes)
	complain(o.TableBytes < 0, "TableBytes %d is negative", o.TableBytes)
	complain(o.Compactions < 0, "Compactions %d is negative", o.Compactions)
	complain(o.CompactDepth < 1, "CompactDepth %d is less than 1", o.CompactDepth)
	complain(o.MaxDepth <= o.CompactDepth, "MaxDepth %d is not more than CompactDepth %d", o.MaxDepth, o.CompactDepth)
	complain(o.MaxOpenFiles < 100, "MaxOpenFiles %d is less than 100", o.MaxOpenFiles)
	complain(o.Compression > CompressionSmall, "Compression %d is unknown", o.Compression)
	return errors.Join(errs...)
}
