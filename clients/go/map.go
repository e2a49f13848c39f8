package topgun

import (
	"context"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Map is the replica of a map in which the latest write to a key wins, wherever
// it was made. Handles of one name share one replica.
type Map[T any] struct {
	client  *Client
	name    string
	replica *lwwReplica // nil if err is not
	err     error
}

// Change is what happened to a key.
type Change[T any] struct {
	Key     string
	Value   T    // the zero T if Removed
	Removed bool // nothing is there now
}

// MapOf opens a map: the client fetches it and keeps it up to date until the
// client is closed. If the name is not one of a map, or the client holds it as
// an OR map, every method returns ErrInvalidName or ErrMapKind.
func MapOf[T any](c *Client, name string) *Map[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.openLWW(name)
	return &Map[T]{client: c, name: name, replica: r, err: err}
}

// Name is the name of the map.
func (m *Map[T]) Name() string { return m.name }

// Set writes a value. It does not wait: the value is there at once, and on its
// way to the server. The errors are ErrNilValue, ErrInvalidValue, ErrInvalidTTL,
// ErrTooLarge, ErrQueueFull and ErrClosed; nothing was written then.
func (m *Map[T]) Set(key string, v T, opts ...WriteOption) (*Write, error) {
	raw, err := m.client.codec.encode(v)
	if err == nil && raw.Kind() == value.KindNil {
		err = ErrNilValue
	}
	if err != nil {
		return nil, err
	}
	return m.write(key, raw, opts)
}

// Remove deletes a key, whether it is there or not. It does not wait. The errors
// are those of Set.
func (m *Map[T]) Remove(key string, opts ...WriteOption) (*Write, error) {
	return m.write(key, nil, opts)
}

func (m *Map[T]) write(key string, raw value.Raw, opts []WriteOption) (*Write, error) {
	o, err := newWriteOptions(opts)
	if err == nil {
		err = m.err
	}
	if err != nil {
		return nil, err
	}
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(key, raw, 1); err != nil {
		return nil, err
	}
	key = strings.Clone(key)
	rec := wire.LWWRecord{Value: raw, Timestamp: c.stamp(), TTL: o.ttl.Milliseconds()}
	kind := wire.OpPut
	if raw == nil {
		kind = wire.OpRemove
	}
	w := newWrite(1)
	c.log.add(&op{
		ts: rec.Timestamp, size: len(key) + len(raw), writes: []*Write{w}, undo: undo{state: m.replica.states[key]},
		wire: wire.ClientOp{
			MapName: m.name, Key: key, OpType: kind.String(), Record: wire.Given(rec),
			WriteConcern: wire.WriteConcern(o.concern.String()),
		},
	})
	m.replica.merge(key, rec)
	ring(c.bell)
	return w, nil
}

// admit refuses an operation that cannot be queued. mu is held.
func (c *Client) admit(key string, raw value.Raw, ops int) error {
	switch {
	case c.closed:
		return ErrClosed
	case len(key) > c.opt.limits.KeyBytes:
		return &TooLargeError{What: "key", Size: len(key), Limit: c.opt.limits.KeyBytes}
	case len(raw) > c.opt.limits.ValueBytes:
		return &TooLargeError{What: "value", Size: len(raw), Limit: c.opt.limits.ValueBytes}
	}
	return c.log.room(ops, ops*(len(key)+len(raw)))
}

// Get returns the value of a key, or ErrNotFound.
func (m *Map[T]) Get(key string) (T, error) {
	var v T
	if m.err != nil {
		return v, m.err
	}
	m.client.mu.Lock()
	raw, ok := m.replica.visible(key, m.client.now())
	m.client.mu.Unlock()
	if !ok {
		return v, ErrNotFound
	}
	err := m.client.codec.decode(key, raw, &v)
	return v, err
}

// Entries returns all keys with their values.
func (m *Map[T]) Entries() (map[string]T, error) {
	if m.err != nil {
		return nil, m.err
	}
	m.client.mu.Lock()
	now := m.client.now()
	raws := make(map[string]value.Raw, len(m.replica.states))
	for key := range m.replica.states {
		if raw, ok := m.replica.visible(key, now); ok {
			raws[key] = raw
		}
	}
	m.client.mu.Unlock()
	out := make(map[string]T, len(raws))
	for key, raw := range raws {
		var v T
		if err := m.client.codec.decode(key, raw, &v); err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

// Subscribe delivers every key that changes from now on, with what it holds when
// it is read: changes of a key that come faster than that are one. Changes are
// those of this client too. That a record's time to live has passed is no
// change.
func (m *Map[T]) Subscribe(ctx context.Context) (*Subscription[Change[T]], error) {
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
	return &Subscription[Change[T]]{f.ending, func() (func() (Change[T], error), bool) {
		key, ok := f.pop()
		if !ok {
			return nil, false
		}
		raw, there := m.replica.visible(key, c.now())
		return func() (Change[T], error) {
			ch := Change[T]{Key: key, Removed: !there}
			var err error
			if there {
				err = c.codec.decode(key, raw, &ch.Value)
			}
			return ch, err
		}, true
	}}, nil
}

// Sync waits until replica and server have been found equal: everything that the
// server had when it was asked is here, and everything that was written here is
// there. Offline it waits for a connection.
func (m *Map[T]) Sync(ctx context.Context) error {
	if m.err != nil {
		return m.err
	}
	return m.client.awaitSync(ctx, m.replica)
}

// lwwReplica is the replica of a map of this kind. It is guarded by Client.mu.
type lwwReplica struct {
	replica
	states map[string]string // encoded records, see crdt.LWW

	// doubted are keys of which the server may lack a record that it has
	// acknowledged, because it was restored; nil while there is no such doubt.
	doubted leaves
}

// openLWW returns the replica, made if it is not there. mu is held.
func (c *Client) openLWW(name string) (*lwwReplica, error) {
	if r := c.lww[name]; r != nil {
		return r, nil
	}
	if err := checkMapName(name); err != nil {
		return nil, err
	}
	if c.or[name] != nil {
		return nil, ErrMapKind
	}
	r := &lwwReplica{replica: replica{name: strings.Clone(name)}, states: map[string]string{}}
	r.sync.reset()
	c.lww[r.name] = r
	c.startSync(r)
	return r, nil
}

func checkMapName(name string) error {
	if name == "" || strings.Contains(name, ":") {
		return ErrInvalidName
	}
	return nil
}

// visible returns the value that a key shows.
func (r *lwwReplica) visible(key string, now int64) (value.Raw, bool) {
	rec, err := crdt.ParseLWW(r.states[key])
	if err != nil || !rec.Visible(now) {
		return nil, false
	}
	return rec.Value, true
}

// merge takes a record if it is newer than what is there.
func (r *lwwReplica) merge(key string, rec wire.LWWRecord) bool {
	if crdt.AcceptLWW(r.states[key], rec.Timestamp) <= 0 {
		return false
	}
	r.put(key, encodeLWW(rec))
	return true
}

func encodeLWW(rec wire.LWWRecord) string {
	return string(crdt.AppendLWW(nil, crdt.LWW{Value: rec.Value, TS: rec.Timestamp, TTL: rec.TTL}))
}

// put replaces the state of a key; an empty one is none.
func (r *lwwReplica) put(key, state string) {
	old, had := r.states[key]
	if state == "" {
		delete(r.states, key)
	} else {
		if !had {
			key = strings.Clone(key) // it may be a view of a whole message
		}
		r.states[key] = state
	}
	r.update(key, crdt.LWWHashOf(key, old), crdt.LWWHashOf(key, state), had, state != "")
}

// adopt merges a record that the server announced. One that loses although it
// holds the same value is what the server made of a write whose timestamp was
// too far ahead: the replica takes its timestamp (protocol 01 §3.2), and so does
// the write where it lies below later ones. It can also be somebody else's equal
// write, so the map is compared with the server's afterwards: when the write is
// acknowledged, or now. mu is held.
func (c *Client) adopt(r *lwwReplica, key string, rec wire.LWWRecord) {
	if r.merge(key, rec) {
		return
	}
	var waits bool
	for i, o := range c.log.ops {
		if !o.writesTo(r.name, key) || o.ts == rec.Timestamp || !value.Equal(o.wire.Record.Value.Value, rec.Value) {
			continue
		}
		was := *o
		o.stored, waits = rec.Timestamp, true
		o.stored.Node = strings.Clone(o.stored.Node) // it may be a view of a whole message
		r.replace(&was, encodeLWW(rec), c.log.ops[i+1:])
	}
	if waits {
		return
	}
	mine, err := crdt.ParseLWW(r.states[key])
	if err != nil || mine.TS == rec.Timestamp || !value.Equal(mine.Value, rec.Value) {
		return
	}
	r.put(key, encodeLWW(rec))
	c.startSync(r)
}

// replace puts another state in the place of what an operation made of its key:
// where the key falls back to it, and in the replica.
func (r *lwwReplica) replace(o *op, state string, later []*op) {
	key := o.wire.Key
	for _, l := range later {
		if l.writesTo(r.name, key) && o.made(l.undo.state) {
			l.undo.state = state
		}
	}
	if o.made(r.states[key]) {
		r.put(key, state)
	}
}

// takeBack undoes a refused operation. What was written on top of it stays, and
// falls back further should it be refused too.
func (r *lwwReplica) takeBack(refused *op, pending []*op) {
	r.replace(refused, refused.undo.state, pending)
}

// wipe forgets everything but what waits for its acknowledgement. mu is held.
func (c *Client) wipe(r *lwwReplica) {
	for key := range r.states {
		r.put(key, "")
	}
	for _, o := range c.log.ops {
		if o.wire.MapName == r.name {
			r.merge(o.wire.Key, o.record())
			// What was there before has to come anew too.
			o.undo.gone()
		}
	}
}

// prune forgets tombstones that are older than t.
func (r *lwwReplica) prune(older func(state string) bool) {
	for key, state := range r.states {
		if rec, err := crdt.ParseLWW(state); err == nil && rec.Tombstone() && older(state) {
			r.put(key, "")
		}
	}
}
