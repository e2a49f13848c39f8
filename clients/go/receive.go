package topgun

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// receive takes in one message. What it does not know it leaves out. top is
// false within a BATCH. mu is held.
func (c *Client) receive(m wire.Message, top bool) {
	switch m := m.(type) {
	case *wire.OpAck:
		c.acknowledged(m)
	case *wire.OpRejected:
		c.rejected(m)
	case *wire.ServerEvent:
		c.saw(m.Timestamp)
		c.event(&m.Event)
	case *wire.ServerBatchEvent:
		c.saw(m.Timestamp)
		for i := range m.Events {
			c.event(&m.Events[i])
		}
	case *wire.QueryResp:
		c.queryAnswered(m)
	case *wire.QueryUpdate:
		c.queryUpdated(m)
	case *wire.QueryTotal:
		c.queryCounted(m)
	case *wire.TopicMessage:
		c.topicMessage(m)
	case *wire.CounterResponse:
		c.counterState(m.Name, &m.State)
	case *wire.CounterUpdate:
		c.counterState(m.Name, &m.State)
	case *wire.GCPrune:
		c.prune(m.OlderThan)
	case *wire.AuthFail:
		c.link.giveUp(&AuthError{Code: int(m.Code), Reason: m.Error})
	case *wire.DeviceAck:
		if m.DeviceToken != "" {
			c.deviceToken = strings.Clone(m.DeviceToken)
		}
	case *wire.Error:
		c.serverError(m)
	case *wire.Batch:
		if top {
			c.receiveBatch(m)
		}
	default:
		c.receiveSync(m)
	}
}

func (c *Client) receiveBatch(b *wire.Batch) {
	frames, err := b.Messages(wire.Limits{})
	if err != nil {
		c.report(err)
		return
	}
	for _, frame := range frames {
		n := len(frame)
		m, err := wire.Decode(frame, wire.Limits{FrameBytes: n, Ops: n, Items: n, KeyBytes: n, TextBytes: n, NameBytes: n})
		if err == nil {
			c.receive(m, false)
		}
	}
}

// receiveSync takes in what belongs to the comparison of maps.
func (c *Client) receiveSync(m wire.Message) {
	switch m := m.(type) {
	case *wire.SyncRespRoot:
		if r := c.lww[m.MapName]; r != nil {
			r.history(m.Epoch, m.RootHash)
			c.syncRoot(r, m.RootHash, m.Timestamp, false)
		}
	case *wire.SyncRespBuckets:
		if r := c.lww[m.MapName]; r != nil {
			// What only the replica has is in the queue, unless the server was restored.
			c.syncBuckets(r, m.Path, &m.Buckets, func(path string) { c.offerLacking(r, path, nil) })
		}
	case *wire.SyncRespLeaf:
		if r := c.lww[m.MapName]; r != nil {
			c.lwwLeaf(r, m)
		}
	case *wire.SyncResetRequired:
		if r := c.lww[m.MapName]; r != nil {
			c.wipe(r)
			r.sync.lastSync, r.sync.phase, r.sync.anew = 0, syncQuiet, true
			c.startSync(r)
		}
	case *wire.ORMapSyncRespRoot:
		if r := c.or[m.MapName]; r != nil {
			if m.FullResync {
				c.startOver(r, m.Timestamp)
			}
			c.syncRoot(r, m.RootHash, m.Timestamp, m.FullResync)
			if !m.FullResync && m.RootHash == r.tree.Root() {
				c.confirm(r, m.CoveringEpoch)
			}
		}
	case *wire.ORMapSyncRespBuckets:
		if r := c.or[m.MapName]; r != nil {
			c.syncBuckets(r, m.Path, &m.Buckets, func(path string) { c.push(r, r.leaves.below(path)) })
		}
	case *wire.ORMapSyncRespLeaf:
		if r := c.or[m.MapName]; r != nil {
			c.orLeaf(r, m)
		}
	case *wire.ORMapDiffResponse:
		if r := c.or[m.MapName]; r != nil {
			c.mergeEntries(r, m.Entries)
		}
	}
}

// event takes in a change that another client made, or what the server made of
// one of ours.
func (c *Client) event(e *wire.Event) {
	switch e.EventType {
	case wire.EventPut, wire.EventRemove:
		if r := c.lww[e.MapName]; r != nil && e.Record.Set {
			c.saw(e.Record.Value.Timestamp)
			c.adopt(r, e.Key, e.Record.Value)
		}
	case wire.EventORAdd:
		if r := c.or[e.MapName]; r != nil && e.ORRecord.Set {
			c.saw(e.ORRecord.Value.Timestamp)
			r.add(e.Key, recordOf(&e.ORRecord.Value))
		}
	case wire.EventORRemove:
		if r := c.or[e.MapName]; r != nil && e.ORTag != "" {
			r.drop(e.Key, e.ORTag, c.now())
		}
	}
}

func (c *Client) lwwLeaf(r *lwwReplica, m *wire.SyncRespLeaf) {
	if !c.answered(r, m.Path) {
		return
	}
	c.offerLacking(r, m.Path, m.Records)
	for i := range m.Records {
		rec := &m.Records[i]
		c.saw(rec.Record.Timestamp)
		r.merge(rec.Key, rec.Record)
	}
	c.endWalk(r)
}

// prune forgets the tombstones of all maps that are older than t: the server
// remembers them no longer.
func (c *Client) prune(t hlc.Timestamp) {
	for _, r := range c.lww {
		r.prune(func(state string) bool { return crdt.AcceptLWW(state, t) > 0 })
	}
	for _, r := range c.or {
		r.prune(func(tag string) bool {
			ts, err := hlc.Parse(tag)
			return err == nil && hlc.Compare(ts, t) < 0
		})
	}
}

// serverError reports an ERROR. After one that says "not now" the client comes
// back with a new connection and everything that is unanswered: the server may
// have dropped the message.
func (c *Client) serverError(m *wire.Error) {
	e := serverError(m)
	c.report(e)
	if e.Type == wire.TypeCounterSync.String() || e.Type == wire.TypeCounterRequest.String() {
		if n := c.counters[e.Request]; n != nil {
			n.abandon(e)
		}
	}
	if e.Code == wire.CodeOverloaded.Number() {
		c.link.giveUp(e)
	}
}

func serverError(m *wire.Error) *ServerError {
	text := func(name string) string {
		v, _ := value.Lookup(m.Details, value.ParsePath(name))
		s, _ := v.Any().(string)
		return s
	}
	e := &ServerError{
		Code: int(m.Code), Message: strings.Clone(m.Message),
		Name: text("name"), Type: text("type"), Request: text("requestId"),
	}
	if e.Request == "" {
		e.Request = text("request")
	}
	return e
}
