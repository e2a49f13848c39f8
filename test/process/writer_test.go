package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// The keys of the load. They are few, so that writers meet at them.
var (
	registers = []string{"people", "naïve things"}
	bags      = []string{"tags"}
	tallies   = []string{"likes", "stock"}
)

const keysOfMap = 150

// wrongAnswerError is an answer that the load does not permit, as opposed to a lost
// connection.
type wrongAnswerError struct{ what string }

func (e *wrongAnswerError) Error() string { return e.what }

func wrong(format string, args ...any) error { return &wrongAnswerError{fmt.Sprintf(format, args...)} }

// writer is one client with its operation log: what was not acknowledged is sent
// again when it is back.
type writer struct {
	model  *model
	rng    *rand.Rand
	node   string
	clock  *hlc.Clock
	lastID int

	pending  []wire.ClientOp // sent or about to be, in the order of their ids
	tags     []place         // where own tags were added
	tagNames []string
	counts   map[string]*count

	// unborn are additions whose removal was sent before them.
	unborn []wire.ClientOp
}

func newWriter(m *model, n int, seed uint64) *writer {
	node := fmt.Sprintf("writer-%d", n)
	return &writer{
		model: m, node: node, clock: hlc.NewClock(node), counts: map[string]*count{},
		rng: rand.New(rand.NewPCG(seed, uint64(n))),
	}
}

// run writes in closed loop until the connection is lost, which is no error, or
// ctx ends.
func (w *writer) run(ctx context.Context, port string) error {
	c, err := peer.Dial(ctx, port, peer.Options{})
	if err != nil {
		return nil // killed before it could be reached
	}
	defer c.Drop()
	if err := w.again(ctx, c); err != nil {
		return nil
	}
	for ctx.Err() == nil {
		if err := w.settle(ctx, c); err != nil {
			return lossIsFine(err)
		}
		for range 1 + w.rng.IntN(3) {
			if err := w.write(ctx, c); err != nil {
				return lossIsFine(err)
			}
		}
	}
	return nil
}

// again sends what was not acknowledged, and the counters as they are.
func (w *writer) again(ctx context.Context, c *peer.Conn) error {
	for name := range w.counts {
		if err := c.Send(ctx, w.tally(name)); err != nil {
			return err
		}
	}
	if len(w.pending) == 0 {
		return nil
	}
	return c.Send(ctx, peer.Batch(w.pending...))
}

// lossIsFine drops an error that is not the server's answer.
func lossIsFine(err error) error {
	var bad *wrongAnswerError
	if errors.As(err, &bad) {
		return err
	}
	return nil
}

// write sends one random message.
func (w *writer) write(ctx context.Context, c *peer.Conn) error {
	if w.rng.IntN(8) == 0 {
		return c.Send(ctx, w.count())
	}
	ops := make([]wire.ClientOp, 1+w.rng.IntN(12))
	for i := range ops {
		ops[i] = w.op()
	}
	w.model.sent(ops)
	w.pending = append(w.pending, ops...)
	return c.Send(ctx, peer.Batch(ops...))
}

func (w *writer) op() wire.ClientOp {
	w.lastID++
	id := strconv.Itoa(w.lastID)
	ts := w.clock.Now(time.Now().UnixMilli())
	key := fmt.Sprintf("key-%d", w.rng.IntN(keysOfMap))
	switch p := w.rng.IntN(10); {
	case p < 5:
		op := peer.Put(id, pick(w.rng, registers), key, nil, ts)
		op.Record.Value.Value = contents(key, ts)
		return op
	case p < 7:
		return peer.Remove(id, pick(w.rng, registers), key, ts)
	case p < 9 && len(w.unborn) > 0 && w.rng.IntN(2) == 0:
		op := w.unborn[0]
		w.unborn = w.unborn[1:]
		op.ID = id
		return op
	case p == 9 && w.rng.IntN(3) == 0:
		op := peer.Add("", pick(w.rng, bags), key, ts.String(), nil, ts)
		op.ORRecord.Value.Value = contents(key, ts)
		w.unborn = append(w.unborn, op)
		return peer.Drop(id, op.MapName, key, ts.String())
	case p < 9 || len(w.tags) == 0:
		at := place{pick(w.rng, bags), key}
		tag := ts.String()
		w.tags, w.tagNames = append(w.tags, at), append(w.tagNames, tag)
		op := peer.Add(id, at.mapName, key, tag, nil, ts)
		op.ORRecord.Value.Value = contents(key, ts)
		return op
	default:
		i := w.rng.IntN(len(w.tags))
		op := peer.Drop(id, w.tags[i].mapName, w.tags[i].key, w.tagNames[i])
		last := len(w.tags) - 1
		w.tags[i], w.tagNames[i] = w.tags[last], w.tagNames[last]
		w.tags, w.tagNames = w.tags[:last], w.tagNames[:last]
		return op
	}
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// count adds to a counter and is the message that says so.
func (w *writer) count() wire.Message {
	name := pick(w.rng, tallies)
	c := w.counts[name]
	if c == nil {
		c = &count{}
		w.counts[name] = c
	}
	c.sentPos += float64(w.rng.IntN(5))
	c.sentNeg += float64(w.rng.IntN(3))
	w.model.counting(name, w.node, c.sentPos, c.sentNeg)
	return w.tally(name)
}

// tally is the message that says how far w has counted.
func (w *writer) tally(name string) wire.Message {
	c := w.counts[name]
	return &wire.CounterSync{Name: name, State: wire.CounterState{
		Positive: wire.NumberMap{{Name: w.node, Value: c.sentPos}},
		Negative: wire.NumberMap{{Name: w.node, Value: c.sentNeg}},
	}}
}

// settle reads until everything that was sent on this connection is answered.
func (w *writer) settle(ctx context.Context, c *peer.Conn) error {
	for name := range w.counts {
		if err := c.Send(ctx, &wire.CounterRequest{Name: name}); err != nil {
			return err
		}
	}
	answers := len(w.counts)
	for len(w.pending) > 0 || answers > 0 {
		m, err := c.Read(ctx)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.OpAck:
			if err := w.ack(m); err != nil {
				return err
			}
		case *wire.CounterUpdate:
			if _, err := w.model.counted(m.Name, w.node, m.State); err != nil {
				return wrong("%v", err)
			}
		case *wire.CounterResponse:
			answers--
			whole, err := w.model.counted(m.Name, w.node, m.State)
			if err != nil {
				return wrong("%v", err)
			}
			if !whole {
				return wrong("%s reads counter %s as %+v, without what it has added", w.node, m.Name, m.State)
			}
		default:
			return wrong("%s is answered with %s %+v", w.node, m.Type(), m)
		}
	}
	return nil
}

// ack takes what is covered out of the log.
func (w *writer) ack(m *wire.OpAck) error {
	last, err := strconv.Atoi(m.LastID)
	if err != nil || m.AchievedLevel != wire.Persisted || len(m.Results) > 0 {
		return wrong("%s got the acknowledgement %+v", w.node, m)
	}
	n := 0
	for n < len(w.pending) {
		if id, _ := strconv.Atoi(w.pending[n].ID); id > last {
			break
		}
		n++
	}
	w.model.acknowledged(w.pending[:n])
	w.pending = append(w.pending[:0:0], w.pending[n:]...)
	return nil
}

// watch follows the LWW maps until the connection is lost: what it is shown has
// to be there afterwards, like what is acknowledged.
func watch(ctx context.Context, port string, m *model) error {
	c, err := peer.Dial(ctx, port, peer.Options{})
	if err != nil {
		return nil
	}
	defer c.Drop()
	for i, name := range registers {
		if err := c.Send(ctx, &wire.QuerySub{QueryID: strconv.Itoa(i), MapName: name}); err != nil {
			return nil
		}
	}
	for {
		msg, err := c.Read(ctx)
		if err != nil {
			return nil
		}
		switch msg := msg.(type) {
		case *wire.QueryResp:
			n, _ := strconv.Atoi(msg.QueryID)
			for _, r := range msg.Results {
				if err := m.shown(registers[n], r.Key, r.Value); err != nil {
					return wrong("%v", err)
				}
			}
		case *wire.QueryUpdate:
			n, _ := strconv.Atoi(msg.QueryID)
			if msg.ChangeType == wire.ChangeLeave {
				break
			}
			if err := m.shown(registers[n], msg.Key, msg.Value); err != nil {
				return wrong("%v", err)
			}
		case *wire.ServerEvent:
			if err := m.seen(msg.MapName, msg.Key, msg.Record.Value.Timestamp); err != nil {
				return wrong("%v", err)
			}
		default:
			return wrong("the watcher is sent %s %+v", msg.Type(), msg)
		}
	}
}
