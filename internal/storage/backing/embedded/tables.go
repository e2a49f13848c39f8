package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// incomingPrefix begins the names of tables that are not ingested yet. Pebble
// does not know such names and lets them lie.
const incomingPrefix = "incoming-"

// ctxEvery is after how many rows a loop looks at its context again.
const ctxEvery = 1024

// yieldEvery is after how many rows a loop lets others have the processor: they
// would wait for it for up to 10 ms, and a checkpoint is never in a hurry.
const yieldEvery = 64

// incoming writes the tables of one checkpoint. Tables do not overlap, so that
// they can be ingested together: the mark has a table of its own, before all
// rows, and the rows are cut into tables in their order. (With the mark among
// the rows, every checkpoint would overlap every other, even where it is all
// new keys and could sink to the lowest level at once.)
//
// The tables are not written through a fence: nothing refers to them yet.
type incoming struct {
	fs    vfs.FS
	dir   string
	opts  sstable.WriterOptions
	limit int     // of bytes in one table
	next  *uint64 // numbers files; never reused, as a name may be linked to a live table

	paths []string
	open  *sstable.Writer // of the last path, nil between tables
	size  int             // handed to open
	key   []byte
	value []byte

	rows  uint64
	bytes uint64
}

// writer returns the open table, making one if there is none.
func (in *incoming) writer() (*sstable.Writer, error) {
	if in.open != nil {
		return in.open, nil
	}
	*in.next++
	path := in.fs.PathJoin(in.dir, incomingPrefix+strconv.FormatUint(*in.next, 10))
	file, err := in.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	in.paths = append(in.paths, path)
	file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	in.open = sstable.NewWriter(objstorageprovider.NewFileWritable(file), in.opts)
	in.size = 0
	return in.open, nil
}

// cut ends the open table: complete, synced and closed when it returns nil.
func (in *incoming) cut() error {
	if in.open == nil {
		return nil
	}
	w := in.open
	in.open = nil
	return w.Close()
}

// put adds what stands in key and value to the open table; a nil value deletes.
func (in *incoming) put(del bool) error {
	w, err := in.writer()
	if err != nil {
		return err
	}
	if del {
		err = w.Delete(in.key)
	} else {
		err = w.Set(in.key, in.value)
	}
	in.size += len(in.key) + len(in.value)
	if err == nil && in.size >= in.limit {
		err = in.cut()
	}
	return err
}

// addRows adds rows, checking them.
func (in *incoming) addRows(ctx context.Context, rows iter.Seq[backing.Write]) error {
	var check backing.Checker
	for w := range rows {
		if in.rows%ctxEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if in.rows%yieldEvery == 0 {
			runtime.Gosched()
		}
		if err := check.Row(&w); err != nil {
			return err
		}
		in.key = appendKey(in.key[:0], &w.Key)
		in.value = in.value[:0]
		if !w.Delete {
			in.value = appendRow(in.value, &w.Row)
		}
		if err := in.put(w.Delete); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
		in.rows++
		in.bytes += uint64(len(in.key) + len(in.value))
	}
	return in.cut()
}

// addClears adds one table that removes ranges, which must be as backing.Union
// returns them.
func (in *incoming) addClears(ranges []backing.Range) error {
	for _, r := range ranges {
		w, err := in.writer()
		if err != nil {
			return err
		}
		lower, upper := bounds(r)
		if err := w.DeleteRange(lower, upper); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
		in.bytes += uint64(len(lower) + len(upper))
	}
	return in.cut()
}

// addMark adds a table with nothing but the mark.
func (in *incoming) addMark(m backing.Mark) error {
	in.key, in.value = append(in.key[:0], keyMark...), appendMark(in.value[:0], m)
	if err := in.put(false); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	return in.cut()
}

// discard removes what is left of the tables: all of them after a failure, and
// none after pebble took them over. It reports nothing, because whatever stays
// is litter that the next Open removes.
func (in *incoming) discard() {
	if in.open != nil {
		// Close finishes the table; the file is closed whether or not it can.
		_ = in.open.Close()
		in.open = nil
	}
	for _, path := range in.paths {
		_ = in.fs.Remove(path)
	}
}

// errEmptyIngest guards the one way in which ingesting can claim success
// without doing anything.
var errEmptyIngest = errors.New("embedded: checkpoint without a table")
