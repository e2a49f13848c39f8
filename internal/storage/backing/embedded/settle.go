package embedded

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// manifestMarker is the marker by which pebble names its manifest.
const manifestMarker = "manifest"

// settleName is the file that settle writes; it is renamed when complete.
const settleName = "settle.tmp"

// settle makes everything durable that pebble is about to read in dir, so that
// what readers find after Open is there after a power cut as well. It is called
// with the directory locked and no writable instance open.
//
// A process that was killed, or a sync that failed, leaves the end of the
// manifest in the page cache only. Pebble reads it from there, shows the rows
// that it names and removes the tables that it replaces, while a power cut
// would bring the shorter manifest back. Syncing the file would not do: after a
// failed sync the kernel may hold its pages for clean. So its bytes are written
// again, to a new file that takes its name.
//
// A manifest that is damaged is left as it is; see checkManifest. Litter is
// removed along the way, except for the paths in keep.
func settle(fsys vfs.FS, dir string, keep []string) error {
	if err := removeLitter(fsys, dir, keep); err != nil {
		return err
	}
	name, err := atomicfs.ReadMarker(fsys, dir, manifestMarker)
	if err != nil {
		return fmt.Errorf("find manifest: %w", err)
	}
	if name != "" {
		content, err := readFile(fsys, fsys.PathJoin(dir, name))
		if err != nil {
			return fmt.Errorf("read manifest: %w", err)
		}
		if err := checkManifest(content); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := replaceFile(fsys, dir, name, settleName, content); err != nil {
			return fmt.Errorf("rewrite manifest: %w", err)
		}
	}
	return syncDir(fsys, dir)
}

// removeLitter removes what was left behind and pebble would leave lying:
// tables that were never ingested, an unfinished settle, and pebble's logs, of
// which it makes an empty one at each open and, since it never flushes, would
// never remove any.
func removeLitter(fsys vfs.FS, dir string, keep []string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list store: %w", err)
	}
	for _, name := range names {
		path := fsys.PathJoin(dir, name)
		if !isLitter(name) || slices.Contains(keep, path) {
			continue
		}
		if err := fsys.Remove(path); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

func isLitter(name string) bool {
	return strings.HasPrefix(name, incomingPrefix) || name == settleName || strings.HasSuffix(name, ".log")
}
