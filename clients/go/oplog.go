package topgun

import (
	"slices"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// A frame of operations holds at most batchOps of them and, unless one alone is
// larger, about batchBytes. Both are well below what a server accepts.
const (
	batchOps   = 1000
	batchBytes = 256 << 10
)

// op is one operation that the server has not yet answered for.
type op struct {
	id     int64
	wire   wire.ClientOp
	ts     hlc.Timestamp // of the record, for PUT and REMOVE
	size   int           // bytes of key and value
	writes []*Write
	undo   undo
	stored hlc.Timestamp // what the server stored it under, see adopt; zero while that is ts
}

// record is what the replica holds of a PUT or REMOVE.
func (o *op) record() wire.LWWRecord {
	rec := o.wire.Record.Value
	if !o.stored.IsZero() {
		rec.Timestamp = o.stored
	}
	return rec
}

// made reports whether a state of its key is what the operation made of it.
func (o *op) made(state string) bool {
	return crdt.AcceptLWW(state, o.ts) == 0 || !o.stored.IsZero() && crdt.AcceptLWW(state, o.stored) == 0
}

// writesTo reports whether it is about a key.
func (o *op) writesTo(mapName, key string) bool {
	return o.wire.MapName == mapName && o.wire.Key == key
}

// undo is what the replica held before an operation.
type undo struct {
	state  string   // of the key, for PUT and REMOVE
	record orRecord // what OR_ADD added or OR_REMOVE removed
	lost   bool     // there is nothing to go back to
}

// gone notes that nothing is left of what was there before.
func (u *undo) gone() { u.state, u.lost = "", true }

// opLog is the queue of unacknowledged operations, in the order of their ids,
// which are 1, 2, 3 and so on. It is guarded by Client.mu.
type opLog struct {
	limits Limits
	ops    []*op
	last   int64 // the greatest id so far
	bytes  int
}

// room refuses operations that the queue has no room for.
func (l *opLog) room(ops, bytes int) error {
	if len(l.ops)+ops > l.limits.QueueOps {
		return &QueueFullError{Queue: "operations", Limit: l.limits.QueueOps, Unit: "operations"}
	}
	if l.bytes+bytes > l.limits.QueueBytes {
		return &QueueFullError{Queue: "operations", Limit: l.limits.QueueBytes, Unit: "bytes"}
	}
	return nil
}

// add gives an operation its id.
func (l *opLog) add(o *op) {
	l.last++
	o.id = l.last
	o.wire.ID = strconv.FormatInt(o.id, 10)
	l.ops = append(l.ops, o)
	l.bytes += o.size
}

// after is the index of the first operation with an id greater than id.
func (l *opLog) after(id int64) int {
	i, _ := slices.BinarySearchFunc(l.ops, id+1, func(o *op, want int64) int { return int(o.id - want) })
	return i
}

// unsent returns the operations after id.
func (l *opLog) unsent(id int64) []*op { return l.ops[l.after(id):] }

// batch makes the frame of the first operations, and returns the id of the last
// one in it.
func batch(ops []*op) (*wire.OpBatch, int64) {
	m := &wire.OpBatch{}
	var last int64
	bytes := 0
	for _, o := range ops {
		if len(m.Ops) == batchOps || len(m.Ops) > 0 && bytes+o.size > batchBytes {
			break
		}
		m.Ops = append(m.Ops, o.wire)
		bytes += o.size
		last = o.id
	}
	return m, last
}

// take removes and returns the operations up to id.
func (l *opLog) take(id int64) []*op {
	n := l.after(id)
	out := slices.Clone(l.ops[:n])
	clear(l.ops[:n])
	l.ops = l.ops[n:]
	for _, o := range out {
		l.bytes -= o.size
	}
	return out
}

// remove takes one operation out; nil if it is not there.
func (l *opLog) remove(id int64) *op {
	i := l.after(id - 1)
	if i == len(l.ops) || l.ops[i].id != id {
		return nil
	}
	o := l.ops[i]
	l.ops = slices.Delete(l.ops, i, i+1)
	l.bytes -= o.size
	return o
}

// abandon fails everything that waits.
func (l *opLog) abandon(err error) {
	for _, o := range l.take(l.last) {
		for _, w := range o.writes {
			w.closed = true
			w.settle(0, err)
		}
	}
}

// acknowledged settles the operations that an OP_ACK covers: all up to its id,
// but never one that was not sent on this connection. mu is held.
func (c *Client) acknowledged(m *wire.OpAck) {
	last, err := strconv.ParseInt(m.LastID, 10, 64)
	if err != nil {
		c.report(&ServerError{Message: "an acknowledgement without a number covers nothing", Type: "OP_ACK", Request: m.LastID})
		return
	}
	results := make(map[string]*wire.OpResult, len(m.Results))
	for i := range m.Results {
		results[m.Results[i].OpID] = &m.Results[i]
	}
	for _, o := range c.log.take(min(last, c.link.sent)) {
		level := concernOf(m.AchievedLevel)
		if r := results[o.wire.ID]; r != nil {
			if reached := concernOf(r.AchievedLevel); !r.Success && reached >= Applied {
				// It is carried out and stays; only the concern was not reached.
				for _, w := range o.writes {
					w.settle(0, &ConcernError{Reached: reached, Reason: strings.Clone(r.Error)})
				}
				continue
			}
			if !r.Success {
				c.reject(o, 0, r.Error)
				continue
			}
			level = concernOf(r.AchievedLevel)
		}
		for _, w := range o.writes {
			w.settle(level, nil)
		}
		if !o.stored.IsZero() {
			// The timestamp may have been that of somebody else's equal write.
			c.resync(o.wire.MapName)
		}
	}
}

// rejected settles an operation that the server has refused for good. It does
// not come back, whether an acknowledgement covers it or not. mu is held.
func (c *Client) rejected(m *wire.OpRejected) {
	id, err := strconv.ParseInt(m.OpID, 10, 64)
	if err != nil {
		return
	}
	if o := c.log.remove(id); o != nil {
		c.reject(o, int(m.Code), m.Reason)
	}
}

// reject takes an operation back and tells everybody. The replica may have
// missed something that lost against it, so the map is compared again.
func (c *Client) reject(o *op, code int, reason string) {
	e := &RejectedError{
		Op: o.wire.ID, Kind: o.wire.OpType, Map: o.wire.MapName, Key: o.wire.Key, Code: code, Reason: strings.Clone(reason),
	}
	if name, _, ok := strings.Cut(e.Reason, ":"); ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
		e.Name = name
	}
	for _, w := range o.writes {
		w.settle(0, e)
	}
	c.report(e)
	if e.Name == wire.CodeStaleWrite.Name() {
		// Older than deletions that are forgotten, as all is that was there before.
		o.undo.gone()
	}
	if r := c.lww[o.wire.MapName]; r != nil {
		r.takeBack(o, c.log.ops)
	}
	if r := c.or[o.wire.MapName]; r != nil {
		r.takeBack(o)
	}
	c.resync(o.wire.MapName)
}
