package app

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// InspectLog calls fn with everything there is in the change log of a data
// directory; see log.Inspect. With frames each frame is listed, and what changes
// it holds. Nothing is changed, and the directory may be in use.
func InspectLog(dataDir string, frames bool, fn func(log.Finding) error) error {
	return log.Inspect(vfs.Default, filepath.Join(dataDir, "log"), log.InspectOptions{Frames: frames, Describe: describeChanges}, fn)
}

// describeChanges says on one line which changes a frame holds: how many, and
// the first and the last position of each partition.
func describeChanges(payload []byte) string {
	type run struct{ first, last change.Position }
	var order []*run
	byPartition := map[string]*run{}
	n := 0
	err := change.ReadBatch(payload, func(c *change.Record) error {
		n++
		key := fmt.Sprint(c.Pos.Partition, "/", c.Pos.Epoch)
		r := byPartition[key]
		if r == nil {
			r = &run{first: c.Pos}
			byPartition[key] = r
			order = append(order, r)
		}
		r.last = c.Pos
		return nil
	})
	if err != nil {
		return fmt.Sprintf("no changes: %v", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d changes:", n)
	for _, r := range order {
		fmt.Fprintf(&b, " %s", r.first)
		if r.last != r.first {
			fmt.Fprintf(&b, "-%d", r.last.Seq)
		}
	}
	return b.String()
}
