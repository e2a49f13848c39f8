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
	away   int64 // until when it stays offline

	lww      map[string]string       // key to state
	or       map[string]crdt.ORState // key to state
	counter  tally
	lastSync int64 // when its notes were last equal to the server's
	claimed  int64 // the epoch that it has confirmed

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
	ttl    int64
	wire   wire.ClientOp
	origin string

	written   int64 // by the clock of the world
	restamped bool  // ts is the server's
	refused   bool
	doubtful  bool // see client.doubtful
	gone      bool // heard of as a removal
}

func (o *op) String() string {
	return fmt.Sprintf("%s %s %s %s ttl %d of %s", o.kind, o.key, o.ts, o.tag, o.ttl, o.origin)
}

func newClient(s *Simulation, n int) *client {
	c := &client{
		sim: s, name: "client-" + strconv.Itoa(n), lww: map[string]string{}, or: map[string]crdt.ORState{},
		acked: map[int]*op{}, heard: map[string]int{}, counter: tally{},
	}
	c.clock = hlc.NewClock(c.name)
	if n == 1 && s.random.chance(500) {
		c.ahead = int64(s.random.IntN(2 * 3600_000))
	}
	return c
}

// doubtful reports whether the client's clock may at some time be too far ahead
// of the server's. It then does not know under which timestamps its writes are
// stored, and nor does the simulation.
func (c *client) doubtful() bool { return c.ahead > hlc.MaxDrift-2*maxSkew }

// act is one thing that a client may do.
func (c *client) act() {
	r := c.sim.random
	switch {
	case r.chance(120):
		c.write()
	case c.link == nil:
		if c.away <= c.sim.clock.millis && r.chance(300) {
			c.connect()
		}
	case r.chance(8):
		c.sim.trace("%s loses its connection", c.name)
		c.disconnected()
	case r.chance(3):
		c.away = c.sim.clock.millis + int64(r.IntN(3*tombstones))
		c.sim.trace("%s goes away", c.name)
		c.disconnected()
	case c.ready && r.chance(10):
		c.synchronise()
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
	var ttl int64
	if r.chance(200) {
		ttl = 1 + int64(r.IntN(60_000))
	}
	switch r.IntN(6) {
	case 0, 1:
		v := value.AppendMap(nil, 1)
		v = value.AppendInt(value.AppendStr(v, "n"), int64(r.IntN(9)))
		c.set(key, v, ttl)
	case 2:
		c.set(key, nil, 0)
	case 3:
		c.add(key, value.AppendInt(nil, int64(r.IntN(3))), ttl)
	case 4:
		c.drop(key)
	case 5:
		c.count(r.chance(500))
		return
	}
	c.offer()
}

func (c *client) now() hlc.Timestamp { return c.clock.Now(c.sim.clock.millis + c.ahead) }

func (c *client) set(key string, v value.Raw, ttl int64) {
	ts := c.now()
	c.lww[key] = string(crdt.AppendLWW(nil, crdt.LWW{Value: v, TS: ts, TTL: ttl}))
	kind := wire.OpPut
	if v == nil {
		kind = wire.OpRemove
	}
	c.log(&op{kind: kind, key: key, ts: ts, ttl: ttl, wire: wire.ClientOp{
		MapName: lwwMap, Key: key, OpType: kind.String(), Record: wire.Given(wire.LWWRecord{Value: v, Timestamp: ts, TTL: ttl}),
	}})
}

// log takes a write down until it is acknowledged.
func (c *client) log(o *op) {
	c.nextID++
	o.id, o.origin, o.doubtful, o.written = c.nextID, c.name, c.doubtful(), c.sim.clock.millis
	o.wire.ID = strconv.Itoa(o.id)
	c.pending = append(c.pending, o)
	c.sim.written = append(c.sim.written, o)
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

// disconnected forgets the connection. The server may not know yet, and go on
// with what was sent to it.
func (c *client) disconnected() {
	if l := c.link; l != nil {
		if c.sim.random.chance(500) {
			l.until = c.sim.clock.millis + lingers
			c.sim.lingering = append(c.sim.lingering, l)
		} else {
			l.session.Closed()
		}
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
