package embedded

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

// small are options under which a little data already makes many tables,
// overlapping checkpoints and compactions.
var small = Options{CacheBytes: 1 << 20, TableBytes: 4 << 10, CompactDepth: 2, MaxDepth: 4}

func TestSuite(t *testing.T) {
	for name, opt := range map[string]Options{
		"with the defaults": {},
		"with small tables": small,
		"with little room":  {CacheBytes: 64 << 10, Compression: CompressionSmall, CompactDepth: 1},
	} {
		t.Run(name, func(t *testing.T) {
			backingtest.Run(t, func(*testing.T) backingtest.Open {
				mem := vfs.NewMem()
				return func() (backing.Store, error) { return Open(mem, "store", quiet, opt) }
			})
		})
	}
}

func TestSuiteOnDisk(t *testing.T) {
	backingtest.Run(t, func(t *testing.T) backingtest.Open {
		t.Helper()
		dir := t.TempDir()
		return func() (backing.Store, error) { return Open(vfs.Default, dir, quiet, small) }
	})
}
