package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// formatVersion is the layout of the directory, its keys and its values as
// docs/format/store.md describes it. A store of another version is not opened.
const formatVersion = 1

// pebbleFormat is the format of pebble's own files. Raising it rewrites nothing
// but cannot be undone: older versions refuse the store from then on. It is
// recorded by pebble and in docs/format/store.md.
const pebbleFormat = pebble.FormatValueSeparation

// The file that says that a directory is a store, and of which format. It is a
// file and not a row because it must be read before pebble touches anything:
// pebble would convert what it opens and tidy up around it.
const (
	formatName    = "FORMAT"
	formatNewName = "FORMAT.tmp"
	formatPrefix  = "topgun-store "
	lockName      = "LOCK"
)

// formatMarker is the marker by which pebble names the format of its files.
const formatMarker = "format-version"

// checkFormat returns ErrFormat unless dir is a store that this version may
// open, and makes it one if it is empty. The caller has dir locked.
func checkFormat(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if !slices.Contains(names, formatName) {
		if i := slices.IndexFunc(names, foreign); i >= 0 {
			return fmt.Errorf("%s is no store but has a file %q: %w", dir, names[i], backing.ErrFormat)
		}
		return writeFormat(fsys, dir)
	}
	text, err := readFile(fsys, fsys.PathJoin(dir, formatName))
	if err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	version, ours := strings.CutPrefix(strings.TrimSpace(string(text)), formatPrefix)
	if !ours || version != strconv.Itoa(formatVersion) {
		return fmt.Errorf("%s has format %q, this version knows %d: %w", dir, text, formatVersion, backing.ErrFormat)
	}
	return checkPebbleFormat(fsys, dir)
}

// foreign reports whether a file keeps a directory from becoming a store.
func foreign(name string) bool { return name != lockName && name != formatNewName }

// writeFormat makes an empty directory a store, durably, before anything else
// is put into it.
func writeFormat(fsys vfs.FS, dir string) error {
	content := formatPrefix + strconv.Itoa(formatVersion) + "\n"
	if err := replaceFile(fsys, dir, formatName, formatNewName, []byte(content)); err != nil {
		return fmt.Errorf("write format: %w", err)
	}
	return syncDir(fsys, dir)
}

// checkPebbleFormat refuses a directory whose pebble is of a later format than
// the one this code was written for, which pebble itself might open.
func checkPebbleFormat(fsys vfs.FS, dir string) error {
	text, err := atomicfs.ReadMarker(fsys, dir, formatMarker)
	if err != nil {
		return fmt.Errorf("find format of tables: %w", err)
	}
	if text == "" {
		return nil
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || v > uint64(pebbleFormat) {
		return fmt.Errorf("%s has tables of format %q, this version knows %d: %w",
			dir, text, uint64(pebbleFormat), backing.ErrFormat)
	}
	return nil
}

// replaceFile gives name new content by way of a file tmp. The content is
// durable on return; that name has it is so only once the directory is synced.
func replaceFile(fsys vfs.FS, dir, name, tmp string, content []byte) error {
	tmp = fsys.PathJoin(dir, tmp)
	f, err := fsys.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fsys.Rename(tmp, fsys.PathJoin(dir, name))
}

func readFile(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path, vfs.SequentialReadsOption)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", backing.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}

// syncDir makes the entries of a directory durable.
func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
