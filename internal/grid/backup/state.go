package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
)

// State is what a chain of snapshots contains: its rows with the changes of its
// logs merged into them. The keys that the logs touch are held in memory.
type State struct {
	chain   snapshot.Chain
	touched []backing.Write // ascending, the newest state of each
}

// Open reads the logs of a chain and the rows that they touch, until ctx ends.
func Open(ctx context.Context, c snapshot.Chain) (*State, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	m := merger{ctx: ctx, keys: map[backing.Key]int{}, newest: len(c.Entries()) - 1, shared: records.NewShared(&records.Kinds{}, records.NewKeeping(records.Lifetimes{}), records.Memory{})}
	if err := m.changes(c, m.name); err != nil {
		return nil, err
	}
	if len(m.keys) > 0 {
		if err := c.Keys(m.row); err != nil {
			return nil, err
		}
		if err := m.changes(c, m.merge); err != nil {
			return nil, err
		}
	}
	return &State{chain: c, touched: m.shared.CollectAll()}, nil
}

// Rows calls fn for every row, ascending by key, until ctx ends. The row is valid
// during the call. Every state is checked: one that does not decode matches
// snapshot.ErrCorrupt.
func (s *State) Rows(ctx context.Context, fn func(*backing.Row) error) error {
	touched := s.touched
	give := func(r *backing.Row) error {
		if err := records.Validate(change.Kind(r.Kind), r.State); err != nil {
			return fmt.Errorf("%w: the state of %v: %w", snapshot.ErrCorrupt, r.Key, err)
		}
		return fn(r)
	}
	before := func(k *backing.Key) error {
		for len(touched) > 0 && (k == nil || touched[0].Key.Compare(*k) < 0) {
			if w := &touched[0]; !w.Delete {
				if err := give(&w.Row); err != nil {
					return err
				}
			}
			touched = touched[1:]
		}
		return nil
	}
	err := s.chain.Keys(func(k snapshot.Found) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := before(&k.Key); err != nil {
			return err
		}
		switch {
		case len(touched) > 0 && touched[0].Key.Compare(k.Key) == 0:
			return nil // comes with the next, or at the end
		case k.Row != nil:
			return give(k.Row)
		case k.Kept:
			return fmt.Errorf("%w: no backup of the chain has the row of %v", snapshot.ErrChain, k.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return before(nil)
}

// Reached is how far the stream of each partition is contained.
func (s *State) Reached() snapshot.Positions { return s.chain.Last().Trailer.Reached }

// merger merges the changes of the logs into the rows that they touch, with the
// code that a start of the server does it with.
type merger struct {
	ctx      context.Context
	keys     map[backing.Key]int // what the changes touch, and the snapshot from which on they count
	newest   int                 // place of the newest snapshot
	shared   *records.Shared
	replicas [partition.Count]*records.Replica
}

func (m *merger) changes(c snapshot.Chain, fn func(place int, c *change.Record) error) error {
	return c.Frames(func(place int, payload []byte) error {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		return change.ReadBatch(payload, func(c *change.Record) error { return fn(place, c) })
	})
}

func (m *merger) name(_ int, c *change.Record) error {
	m.keys[keyOf(c)] = m.newest
	return nil
}

func keyOf(c *change.Record) backing.Key {
	return backing.Key{Tenant: c.Tenant, Map: c.Map, Partition: c.Pos.Partition, Hash: c.KeyHash, Key: c.Key}
}

func (m *merger) row(k snapshot.Found) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if _, ok := m.keys[k.Key]; !ok {
		return nil
	}
	m.keys[k.Key] = k.From
	if k.Row == nil {
		return nil
	}
	row := *k.Row
	row.Map, row.Key.Key = strings.Clone(row.Map), strings.Clone(row.Key.Key)
	return m.replica(row.Partition).InstallRow(row)
}

func (m *merger) merge(place int, c *change.Record) error {
	r := m.replica(c.Pos.Partition)
	if place < m.keys[keyOf(c)] {
		// The key has been written again or has ended since. That a write was
		// re-stamped is remembered for a time of its own.
		return r.InstallRestamp(c)
	}
	return r.InstallRecord(c)
}

func (m *merger) replica(id partition.ID) *records.Replica {
	if m.replicas[id] == nil {
		m.replicas[id] = records.NewReplica(id, m.shared)
	}
	return m.replicas[id]
}
