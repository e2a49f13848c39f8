package sim

import (
	"fmt"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// The maps of every simulation, and how many keys each has.
const (
	lwwMap = "notes"
	orMap  = "tags"
	keys   = 6
)

// client is a model of a client: what the protocol lets it know and do, in the
// simplest form.
type client struct {
	sim    *Simulation
	name   string
	clock  *hlc.Clock
	ahead  int64 // of the world's clock, in ms
	nextID int

	lww map[string]string       // key to state
	or  map[string]crdt.ORState // key to state

	pending []*op
	acked   map[int]*op    // by id
	seen    []*op          // what the server has announced to this client
	heard   map[string]int // announcements on this connection

	link  *link
	ready bool // the handshake is done
	query *liveQuery
	token string
}

// op is a write, of this client or as heard of.
type op struct {
	id     int
	kind   wire.OpKind
	key    string
	ts     hlc.Timestamp
	tag    string
	wire   wire.ClientOp
	origin string

	restamped bool // ts is the server's
}

func (o *op) String() string {
	return fmt.Sprintf("%s %s %s %s of %s", o.kind, o.key, o.ts, o.tag, o.origin)
}

func newClient(s *Simulation, n int) *client {
	c := &client{
		sim: s, name: "client-" + strconv.Itoa(n), lww: map[string]string{}, or: map[string]crdt.ORState{},
		acked: map[int]*op{}, heard: map[string]int{},
	}
	c.clock = hlc.NewClock(c.name)
	if n == 1 && s.random.chance(500) {
		c.ahead = int64(s.random.IntN(2 * 3600_000))
	}
	return c
}

// act is one thing that a client may do.
func (c *client) act() {
	r := c.sim.random
	switch {
	case r.chance(120):
		c.write()
	case c.link == nil:
		if r.chance(300) {
			c.connect()
		}
	case r.chance(8):
		c.sim.trace("%s loses its connection", c.name)
		c.disconnected()
	case r.chance(400):
		c.link.arrive()
	case r.chance(500):
		c.link.pump()
	default:
		c.receive()
	}
}

// write changes a map locally and tells the server if it can.
func (c *client) write() {
	r := c.sim.random
	key := "k" + strconv.Itoa(r.IntN(keys))
	if r.chance(200) {
		key = "ключ-" + key
	}
	switch r.IntN(5) {
	case 0, 1:
		v := value.AppendMap(nil, 1)
		v = value.AppendInt(value.AppendStr(v, "n"), int64(r.IntN(9)))
		c.set(key, v)
	case 2:
		c.set(key, nil)
	case 3:
		c.add(key, value.AppendInt(nil, int64(r.IntN(3))))
	case 4:
		c.drop(key)
	}
	c.offer()
}

func (c *client) now() hlc.Timestamp { return c.clock.Now(c.sim.clock.millis + c.ahead) }

func (c *client) set(key string, v value.Raw) {
	ts := c.now()
	c.lww[key] = string(crdt.AppendLWW(nil, crdt.LWW{Value: v, TS: ts}))
	kind := wire.OpPut
	if v == nil {
		kind = wire.OpRemove
	}
	c.log(&op{kind: kind, key: key, ts: ts, wire: wire.ClientOp{
		MapName: lwwMap, Key: key, OpType: kind.String(), Record: wire.Given(wire.LWWRecord{Value: v, Timestamp: ts}),
	}})
}

func (c *client) add(key string, v value.Raw) {
	ts := c.now()
	rec := crdt.ORRecord{Tag: ts.String(), Value: v, TS: ts}
	c.mergeOR(key, rec)
	c.log(&op{kind: wire.OpORAdd, key: key, ts: ts, tag: rec.Tag, wire: wire.ClientOp{
		MapName: orMap, Key: key, OpType: "OR_ADD", ORRecord: wire.Some(wire.ORRecord{Value: v, Timestamp: ts, Tag: rec.Tag}),
	}})
}

// drop removes the first record of a key.
func (c *client) drop(key string) {
	for rec := range c.or[key].Records() {
		c.forget(key, rec.Tag)
		c.log(&op{kind: wire.OpORRemove, key: key, ts: c.now(), tag: rec.Tag, wire: wire.ClientOp{
			MapName: orMap, Key: key, OpType: "OR_REMOVE", ORTag: wire.Some(rec.Tag),
		}})
		return
	}
}

func (c *client) log(o *op) {
	c.nextID++
	o.id, o.origin = c.nextID, c.name
	o.wire.ID = strconv.Itoa(o.id)
	c.pending = append(c.pending, o)
	c.sim.trace("%s writes %d %s", c.name, o.id, o)
}

// offer sends all pending operations, as clients do on every write.
func (c *client) offer() {
	if !c.ready || len(c.pending) == 0 {
		return
	}
	m := &wire.OpBatch{}
	for _, o := range c.pending {
		m.Ops = append(m.Ops, o.wire)
	}
	c.link.send(m)
}

func (c *client) connect() {
	c.sim.trace("%s connects", c.name)
	c.link = c.sim.open()
	c.link.send(&wire.DeviceHello{DeviceToken: c.token})
	clear(c.heard)
}

func (c *client) disconnected() {
	if c.link != nil {
		c.link.session.Closed()
	}
	c.link, c.ready, c.query = nil, false, nil
}

// exchange lets everything arrive that is on its way, and reports whether there
// was anything.
func (c *client) exchange() bool {
	worked := false
	for c.link != nil {
		before := len(c.link.up)
		c.link.arrive()
		c.link.pump()
		if len(c.link.down) == 0 && len(c.link.up) == before {
			return worked
		}
		worked = true
		c.receive()
	}
	return worked
}

func (c *client) mergeOR(key string, rec crdt.ORRecord) bool {
	next, _, changed, err := c.or[key].Add(nil, rec)
	if err != nil {
		c.sim.find("%s cannot add %v: %v", c.name, rec, err)
	}
	if changed {
		c.or[key] = crdt.ORState(next)
	}
	return changed
}

func (c *client) forget(key, tag string) bool {
	next, _, _, changed, err := c.or[key].Remove(nil, tag, c.sim.clock.millis)
	if err != nil {
		c.sim.find("%s cannot remove %s: %v", c.name, tag, err)
	}
	if changed {
		c.or[key] = crdt.ORState(next)
	}
	return changed
}
