package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// instance is one opened pebble, with the fence and the scheduler it was given.
type instance struct {
	db       *pebble.DB
	fence    *fence
	sched    *scheduler
	readOnly bool
}

// refusal is why no checkpoint may go into the instance; nil if one may.
func (in *instance) refusal() error {
	if in.readOnly {
		return errReadOnly
	}
	return in.fence.err()
}

// errReadOnly is the refusal of an instance opened because none could be opened
// for writing.
var errReadOnly = errors.New("embedded: opened for reading only after a failure")

// condemn gives the instance up for writing: it stays readable, and nothing
// that it does from here on reaches the disk.
func (in *instance) condemn(cause error) {
	in.fence.close(cause)
	in.sched.stop()
}

// pebbleOptions returns the options of pebble that opt stands for, without what
// belongs to one instance.
func pebbleOptions(opt Options) *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion: pebbleFormat,
		DisableWAL:         true,

		// Never used: two small memtables are the least there can be.
		MemTableSize:                256 << 10,
		MemTableStopWritesThreshold: 2,

		CacheSize:    opt.CacheBytes,
		MaxOpenFiles: opt.MaxOpenFiles,

		// Write-back in small steps, so that a large checkpoint does not pile
		// up dirty pages in front of the log's next sync.
		BytesPerSync: 1 << 20,

		L0CompactionThreshold: opt.CompactDepth,
		CompactionConcurrencyRange: func() (int, int) {
			return opt.Compactions, opt.Compactions
		},
		DisableAutomaticCompactions: opt.still,

		// Opening reads the whole manifest, and settles it.
		MaxManifestFileSize: 8 << 20,
	}
	for i := range o.Levels {
		o.Levels[i] = pebble.LevelOptions{
			BlockSize:      8 << 10,
			IndexBlockSize: 64 << 10,
			FilterPolicy:   bloom.FilterPolicy(10),
			FilterType:     pebble.TableFilter,
		}
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return profiles[opt.Compression] })
	o.Experimental.EnableColumnarBlocks = func() bool { return true }
	// Reads do not cause compactions: what they may cost is bounded by depth.
	o.Experimental.ReadSamplingMultiplier = -1
	o.Experimental.FileCacheShards = 2
	o.EnsureDefaults()
	return o
}

// profiles are pebble's names for how to compress.
var profiles = [...]pebble.DBCompressionSettings{
	CompressionFast:  pebble.UniformDBCompressionSettings(block.FastestCompression),
	CompressionNone:  pebble.UniformDBCompressionSettings(block.NoCompression),
	CompressionSmall: pebble.DBCompressionBalanced,
}

// tableOptions are the options of the tables that checkpoints are made of.
func tableOptions(o *pebble.Options) sstable.WriterOptions {
	return o.MakeWriterOptions(0, pebbleFormat.MaxTableFormat())
}

// place is where instances are opened.
type place struct {
	fs   vfs.FS
	dir  string
	lock *pebble.Lock
	log  *slog.Logger
	opt  Options

	// failures counts what went wrong in the background.
	failures *atomic.Uint64
}

// open opens an instance. What it may read must be settled; see settle.
func (p *place) open(readOnly bool) (*instance, error) {
	in := &instance{
		fence:    newFence(p.fs),
		sched:    newScheduler(p.opt.Compactions),
		readOnly: readOnly,
	}
	o := pebbleOptions(p.opt)
	o.FS = in.fence
	o.Lock = p.lock
	o.ReadOnly = readOnly
	o.Logger = logger{log: p.log, fatal: func(what string) {
		p.failures.Add(1)
		err := errors.New(what)
		if fault := in.fence.lastFault(); fault != nil {
			err = fmt.Errorf("%s: %w", what, fault)
		}
		p.log.Error("store instance gave up; the next checkpoint opens another", "error", err)
		in.condemn(err)
	}}
	o.Experimental.CompactionScheduler = in.sched
	o.EventListener = p.listen(in)

	db, err := pebble.Open(p.dir, o)
	if cause := in.fence.err(); cause != nil {
		if err == nil {
			_ = db.Close()
		}
		err = cause
	}
	if err != nil {
		return nil, classifyOpen("open store "+p.dir, err, in.fence.lastFault())
	}
	in.db = db
	return in, nil
}

// listen returns what pebble tells of an instance. The functions run under
// pebble's locks.
func (p *place) listen(in *instance) *pebble.EventListener {
	l := &pebble.EventListener{
		BackgroundError: func(err error) {
			p.failures.Add(1)
			in.sched.fail(err)
			p.log.Warn("store upkeep failed; it is tried again at the next checkpoint", "error", err)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			p.failures.Add(1)
			p.log.Error("store has a corrupt table", "detail", info.String())
		},
	}
	l.EnsureDefaults(nil)
	return l
}

// close ends the instance. What a condemned one says about its end is of no
// interest.
func (in *instance) close() error {
	condemned := in.fence.shut.Load()
	err := in.db.Close()
	if err == nil || condemned {
		return nil
	}
	return fmt.Errorf("close pebble: %w", err)
}
