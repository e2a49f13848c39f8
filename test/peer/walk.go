package peer

import (
	"context"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

const hexDigits = "0123456789abcdef"

// treeDepth is how many digits a leaf's path has.
const treeDepth = 3

// Records reads a whole LWW map by walking its Merkle tree, as a client without
// a copy does. root is what the server says of all of it.
func (c *Conn) Records(ctx context.Context, mapName string) (root uint32, records map[string]wire.LWWRecord, err error) {
	if err := c.Send(ctx, &wire.SyncInit{MapName: mapName}); err != nil {
		return 0, nil, err
	}
	records = map[string]wire.LWWRecord{}
	ask := func(path string) wire.Message { return &wire.MerkleReqBucket{MapName: mapName, Path: path} }
	err = c.walk(ctx, ask, func(m wire.Message) (w walked) {
		switch m := m.(type) {
		case *wire.SyncRespRoot:
			root, w.root = m.RootHash, m.MapName == mapName
		case *wire.SyncRespBuckets:
			w.path, w.buckets, w.ok = m.Path, m.Buckets, m.MapName == mapName
		case *wire.SyncRespLeaf:
			w.path, w.ok = m.Path, m.MapName == mapName
			for _, r := range m.Records {
				records[r.Key] = r.Record
			}
		}
		return w
	})
	return root, records, err
}

// Sets reads a whole OR map as Records does.
func (c *Conn) Sets(ctx context.Context, mapName string) (root uint32, entries map[string]wire.ORMapEntry, err error) {
	if err := c.Send(ctx, &wire.ORMapSyncInit{MapName: mapName}); err != nil {
		return 0, nil, err
	}
	entries = map[string]wire.ORMapEntry{}
	ask := func(path string) wire.Message { return &wire.ORMapMerkleReqBucket{MapName: mapName, Path: path} }
	err = c.walk(ctx, ask, func(m wire.Message) (w walked) {
		switch m := m.(type) {
		case *wire.ORMapSyncRespRoot:
			root, w.root = m.RootHash, m.MapName == mapName
		case *wire.ORMapSyncRespBuckets:
			w.path, w.buckets, w.ok = m.Path, m.Buckets, m.MapName == mapName
		case *wire.ORMapSyncRespLeaf:
			w.path, w.ok = m.Path, m.MapName == mapName
			for _, e := range m.Entries {
				entries[e.Key] = e
			}
		}
		return w
	})
	return root, entries, err
}

// walked is what one message means for a walk: the root, the answer for a path,
// or nothing.
type walked struct {
	root, ok bool
	path     string
	buckets  wire.Buckets
}

// walk asks for everything below the root. Events that come in between are
// passed over; an ERROR ends the walk.
func (c *Conn) walk(ctx context.Context, ask func(path string) wire.Message, read func(wire.Message) walked) error {
	open := 1 // answers that are outstanding, the root's among them
	for open > 0 {
		m, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if e, ok := m.(*wire.Error); ok {
			return fmt.Errorf("the server refuses: %d %s", e.Code, e.Message)
		}
		w := read(m)
		var paths []string
		switch {
		case w.root:
			paths = []string{""}
		case !w.ok:
			continue
		case len(w.path) < treeDepth:
			for digit := range w.buckets.All() {
				paths = append(paths, w.path+hexDigits[digit:digit+1])
			}
		}
		for _, p := range paths {
			if err := c.Send(ctx, ask(p)); err != nil {
				return err
			}
		}
		open += len(paths) - 1
	}
	return nil
}
