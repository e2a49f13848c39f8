package topgun

import (
	"context"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// ORMap is the replica of a map whose keys hold sets of values. Adding and
// removing merge: a removal takes away what its author had seen, and no more.
// Handles of one name share one replica.
type ORMap[T any] struct {
	client  *Client
	name    string
	replica *orReplica // nil if err is not
	err     error
}

// SetChange is what happened to the set of a key.
type SetChange[T any] struct {
	Key    string
	Values []T // all that the set holds now
}

// ORMapOf opens an OR map: the client fetches it and keeps it up to date until
// the client is closed. If the name is not one of a map, or the client holds it
// as a map of the other kind, every method returns ErrInvalidName or ErrMapKind.
func ORMapOf[T any](c *Client, name string) *ORMap[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.openOR(name)
	return &ORMap[T]{client: c, name: name, replica: r, err: err}
}

// Name is the name of the map.
func (m *ORMap[T]) Name() string { return m.name }

// Add puts a value into the set of a key. It does not wait. The errors are
// those of Map.Set, except that nil is a value like any other.
func (m *ORMap[T]) Add(key string, v T, opts ...WriteOption) (*Write, error) {
	o, raw, err := m.prepare(v, opts)
	if err != nil {
		return nil, err
	}
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(key, raw, 1); err != nil {
		return nil, err
	}
	ts := c.stamp()
	rec := orRecord{Tag: ts.String(), Value: raw, TS: ts, TTL: o.ttl.Milliseconds(), HasTTL: o.hasTTL}
	w := newWrite(1)
	c.log.add(&op{
		size: len(key) + len(raw), writes: []*Write{w}, undo: undo{record: rec},
		wire: wire.ClientOp{
			MapName: m.name, Key: strings.Clone(key), OpType: wire.OpORAdd.String(), ORRecord: wire.Some(wireRecord(rec)),
			WriteConcern: wire.WriteConcern(o.concern.String()),
		},
	})
	m.replica.add(key, rec)
	ring(c.bell)
	return w, nil
}

// Remove takes a value out of the set of a key, as far as this client has seen
// it: one that another client adds at the same time stays. It does not wait.
// If the value is not there, there is nothing to do. A time to live has no
// effect here. The errors are those of Add.
func (m *ORMap[T]) Remove(key string, v T, opts ...WriteOption) (*Write, error) {
	o, raw, err := m.prepare(v, opts)
	if err != nil {
		return nil, err
	}
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	var seen []orRecord
	for r := range m.replica.states[key].Records() {
		if value.Equal(r.Value, raw) {
			seen = append(seen, r)
		}
	}
	if err := c.admit(key, nil, len(seen)); err != nil {
		return nil, err
	}
	w := newWrite(len(seen))
	key = strings.Clone(key)
	for _, r := range seen {
		c.log.add(&op{
			size: len(key), writes: []*Write{w}, undo: undo{record: r},
			wire: wire.ClientOp{
				MapName: m.name, Key: key, OpType: wire.OpORRemove.String(), ORTag: wire.Some(r.Tag),
				WriteConcern: wire.WriteConcern(o.concern.String()),
			},
		})
		m.replica.drop(key, r.Tag, c.now())
	}
	ring(c.bell)
	return w, nil
}

func (m *ORMap[T]) prepare(v T, opts []WriteOption) (writeOptions, value.Raw, error) {
	o, err := newWriteOptions(opts)
	if err == nil {
		err = m.err
	}
	if err != nil {
		return o, nil, err
	}
	raw, err := m.client.codec.encode(v)
	return o, raw, err
}

// Get returns the set of a key, each value once, in the order in which they were
// added, as far as clocks agree. A key without values has an empty set.
func (m *ORMap[T]) Get(key string) ([]T, error) {
	if m.err != nil {
		return nil, m.err
	}
	m.client.mu.Lock()
	raws := m.replica.visible(key, m.client.now())
	m.client.mu.Unlock()
	return decodeSet[T](m.client, key, raws)
}

// Entries returns all keys that have values, with their sets.
func (m *ORMap[T]) Entries() (map[string][]T, error) {
	if m.err != nil {
		return nil, m.err
	}
	m.client.mu.Lock()
	now := m.client.now()
	sets := map[string][]value.Raw{}
	for key := range m.replica.states {
		if raws := m.replica.visible(key, now); len(raws) > 0 {
			sets[key] = raws
		}
	}
	m.client.mu.Unlock()
	out := make(map[string][]T, len(sets))
	for key, raws := range sets {
		vs, err := decodeSet[T](m.client, key, raws)
		if err != nil {
			return nil, err
		}
		out[key] = vs
	}
	return out, nil
}

func decodeSet[T any](c *Client, key string, raws []value.Raw) ([]T, error) {
	out := make([]T, len(raws))
	for i, raw := range raws {
		if err := c.codec.decode(key, raw, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Subscribe delivers every key whose set changes from now on; see
// Map.Subscribe.
func (m *ORMap[T]) Subscribe(ctx context.Context) (*Subscription[SetChange[T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.follow(ctx, &m.replica.replica)
	if err != nil {
		return nil, err
	}
	return &Subscription[SetChange[T]]{f.ending, func() (func() (SetChange[T], error), bool) {
		key, ok := f.pop()
		if !ok {
			return nil, false
		}
		raws := m.replica.visible(key, c.now())
		return func() (SetChange[T], error) {
			vs, err := decodeSet[T](c, key, raws)
			return SetChange[T]{Key: key, Values: vs}, err
		}, true
	}}, nil
}

// Sync waits until replica and server have been found equal; see Map.Sync.
func (m *ORMap[T]) Sync(ctx context.Context) error {
	if m.err != nil {
		return m.err
	}
	return m.client.awaitSync(ctx, m.replica)
}

type orRecord = crdt.ORRecord

func wireRecord(r orRecord) wire.ORRecord {
	return wire.ORRecord{Value: r.Value, Timestamp: r.TS, Tag: r.Tag, TTL: wire.Opt[int64]{Value: r.TTL, Set: r.HasTTL}}
}

func recordOf(r *wire.ORRecord) orRecord {
	return orRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set}
}
