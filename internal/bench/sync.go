package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// deltaShare is the part of the records that changes before the delta sync.
const deltaShare = 100

// synchronise measures Merkle synchronisation: an empty replica of all records,
// then one that lacks a hundredth of them.
func synchronise(ctx context.Context, o Options) (res *Result, err error) {
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	fill := o
	fill.Connections, fill.Batch, fill.Keys = 1, min(o.Batch, o.Keys), o.Keys
	if err := writeOnce(ctx, server.url, fill, o.Keys); err != nil {
		return nil, err
	}
	r := &replica{records: map[string]uint32{}}
	start := o.Clock.Now()
	if err := r.sync(ctx, server.url); err != nil {
		return nil, err
	}
	initial := o.Clock.Now().Sub(start)
	if len(r.records) < o.Keys {
		return nil, fmt.Errorf("bench: %d of %d records arrived", len(r.records), o.Keys)
	}
	delta := max(o.Keys/deltaShare, 1)
	if err := writeOnce(ctx, server.url, fill, delta); err != nil {
		return nil, err
	}
	start = o.Clock.Now()
	if err := r.sync(ctx, server.url); err != nil {
		return nil, err
	}
	took := o.Clock.Now().Sub(start)
	return &Result{
		Scenario: o.Scenario, Connections: 1, Keys: o.Keys, ValueBytes: o.ValueBytes, Seconds: (initial + took).Seconds(),
		OpsPerSecond:       float64(o.Keys) / initial.Seconds(),
		InitialSyncSeconds: initial.Seconds(), DeltaSyncSeconds: took.Seconds(), DeltaRecords: delta,
	}, nil
}

// writeOnce puts the first n keys, once each.
func writeOnce(ctx context.Context, url string, o Options, n int) (err error) {
	l, err := newLoad(ctx, url, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	w := l.writers[0]
	for i := 0; i*o.Batch < n; i++ {
		if err := w.send(w.frames[i%len(w.frames)], o.Clock.Now()); err != nil {
			return err
		}
		for len(w.sent) > 0 {
			if err := w.receive(ctx, o.Clock.Now); err != nil {
				return err
			}
		}
	}
	if w.refused+w.errors > 0 {
		return fmt.Errorf("bench: %d operations refused, %d errors while filling the map", w.refused, w.errors)
	}
	return nil
}

// replica is a client's copy of the map: the entry hashes, which is what the
// comparison needs.
type replica struct {
	records map[string]uint32
	tree    merkle.Tree
}

// sync walks the server's tree until nothing is asked for any more.
func (r *replica) sync(ctx context.Context, url string) (err error) {
	c, err := socket.Dial(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	ask := func(m wire.Message) error {
		f, _ := socket.Frame(wire.Append(nil, m))
		return c.Write(f)
	}
	if err := ask(&wire.SyncInit{MapName: mapName}); err != nil {
		return err
	}
	for outstanding := 1; outstanding > 0; {
		b, err := c.Next(ctx)
		if err != nil {
			return err
		}
		m, err := wire.Decode(b, wire.Limits{FrameBytes: 64 << 20, Items: 1 << 24})
		if err != nil {
			return err
		}
		more, answered := r.take(m)
		if answered {
			outstanding--
		}
		for _, path := range more {
			if err := ask(&wire.MerkleReqBucket{MapName: mapName, Path: path}); err != nil {
				return err
			}
			outstanding++
		}
	}
	return nil
}

// take merges an answer and returns the paths to ask for next.
func (r *replica) take(m wire.Message) (more []string, answered bool) {
	switch m := m.(type) {
	case *wire.SyncRespRoot:
		if m.RootHash != r.tree.Root() {
			more = append(more, "")
		}
		return more, true
	case *wire.SyncRespBuckets:
		ours := map[byte]uint32{}
		for _, child := range r.tree.Children(m.Path) {
			ours[child.Digit] = child.Hash
		}
		for digit, h := range m.Buckets.All() {
			d := "0123456789abcdef"[digit]
			if ours[d] != h {
				more = append(more, m.Path+string(d))
			}
		}
		return more, true
	case *wire.SyncRespLeaf:
		for i := range m.Records {
			rec := &m.Records[i]
			key := string([]byte(rec.Key)) // the record aliases the frame
			sum := crdt.LWWHash(key, rec.Record.Timestamp)
			old, held := r.records[key]
			added := 1
			if held {
				added = 0
			}
			r.tree.Update(hash.Key(key), old, sum, added)
			r.records[key] = sum
		}
		return nil, true
	}
	return nil, false
}
