package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// queriesEach is how many queries a connection holds.
const queriesEach = 1000

// askers are connections that hold many queries each.
type askers struct {
	conns  []*socket.Conn
	all    sync.WaitGroup
	count  atomic.Int64 // messages that arrived
	failed atomic.Int64
	over   atomic.Bool
}

// askMany asks n queries with the conditions of ask and, if sorted is given, a
// limit of 20 in its order, and waits for their answers.
func askMany(ctx context.Context, url string, n int, ask func(i int) *predicate.Node, sorted func(i int) []string) (*askers, error) {
	a := &askers{}
	for from := 0; from < n; from += queriesEach {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return nil, errors.Join(err, a.close())
		}
		a.conns = append(a.conns, c)
		var frames []byte
		count := min(queriesEach, n-from)
		for i := from; i < from+count; i++ {
			m := &wire.QuerySub{QueryID: queryID(i), MapName: mapName, Query: wire.Query{Predicate: predicate.Canonical(ask(i))}}
			if sorted != nil {
				m.Query.Limit = wire.Some(int64(20))
				for _, field := range sorted(i) {
					m.Query.Sort = append(m.Query.Sort, wire.SortField{Field: field})
				}
			}
			frame, _ := socket.Frame(wire.Append(nil, m))
			frames = append(frames, frame...)
		}
		if err := a.ask(ctx, c, frames, count); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

func (a *askers) ask(ctx context.Context, c *socket.Conn, frames []byte, count int) error {
	if err := c.Write(frames); err != nil {
		return err
	}
	for range count {
		m, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if head := m[:min(len(m), 32)]; !bytes.Contains(head, []byte("QUERY_RESP")) {
			return fmt.Errorf("bench: a query is answered with %q", head)
		}
	}
	return nil
}

// listen hands what arrives to p, in one goroutine a connection; close waits for
// them.
func (a *askers) listen(ctx context.Context, p *pacer) {
	for _, c := range a.conns {
		a.all.Go(func() { //arch:goroutine askers waits in close
			for {
				m, err := c.Next(ctx)
				if err != nil {
					if !a.over.Load() {
						a.failed.Add(1)
					}
					return
				}
				a.count.Add(1)
				p.arrived(m)
			}
		})
	}
}

func (a *askers) close() error {
	a.over.Store(true)
	var errs []error
	for _, c := range a.conns {
		errs = append(errs, c.Close())
	}
	a.all.Wait()
	return errors.Join(errs...)
}

// recordMaker makes values of groups, with fields to sort by and the number of
// their write.
type recordMaker struct {
	groups int
	text   value.Raw
	write  uint32
}

// markWrite is what comes before the number of a write, which has four bytes.
var markWrite = []byte{0xa1, 'w', 0xce}

func (r *recordMaker) value(key string) value.Raw {
	n, err := strconv.Atoi(key[len("key-"):])
	if err != nil {
		n = 0
	}
	v := value.AppendMap(nil, 6)
	v = binary.BigEndian.AppendUint32(append(v, markWrite...), r.write)
	v = value.AppendInt(value.AppendStr(v, "g"), int64(n%r.groups))
	for _, field := range []string{"a", "b", "c"} {
		v = value.AppendInt(value.AppendStr(v, field), rand.Int64N(1<<20))
	}
	return append(v, r.text[1:]...) // behind the header of a map of one field
}

// pacer writes at a rate and takes the time to the updates.
type pacer struct {
	o       Options
	made    *recordMaker
	records int
	now     func() time.Time

	feeders []*feeder
	sent    []atomic.Int64  // of each write, in ns
	late    []time.Duration // by how much each write was sent after it was due
	writes  int
	seconds float64
	refused atomic.Int64
	errors  atomic.Int64

	mu   sync.Mutex
	took []time.Duration
}

// pacedConnections share the writes.
const pacedConnections = 4

// open encodes every write beforehand.
func (p *pacer) open(ctx context.Context, url string) error {
	rate := p.o.Rate
	if rate == 0 {
		rate = windowRate
	}
	p.writes = int(p.o.Duration.Seconds() * float64(rate))
	p.sent = make([]atomic.Int64, p.writes+1)
	for i := range pacedConnections {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return err
		}
		f := &feeder{writer: &writer{conn: c, batch: 1, nextID: firstID}}
		p.feeders = append(p.feeders, f)
		f.all.Go(func() { f.listen(ctx) }) //arch:goroutine feeder waits in close
		for n := i + 1; n <= p.writes; n += pacedConnections {
			p.made.write = uint32(n)
			key := "key-" + strconv.Itoa(rand.IntN(p.records))
			fr, err := newFrame([]string{key}, fmt.Sprintf("bench-%030d", i), p.made.value, concerns[p.o.Concern].ask)
			if err != nil {
				return err
			}
			f.frames = append(f.frames, fr)
		}
	}
	return nil
}

// run writes everything, each write when it is due, and waits until what comes
// of the last ones has had the time to arrive.
func (p *pacer) run(ctx context.Context) error {
	start := p.now()
	for n := 1; n <= p.writes && ctx.Err() == nil; n++ {
		due := start.Add(time.Duration(float64(n) / float64(p.writes) * float64(p.o.Duration)))
		sleepUntil(p.o.Clock, due)
		f := p.feeders[(n-1)%pacedConnections]
		fr := f.frames[(n-1)/pacedConnections]
		now := p.now()
		fr.stamp(f.nextID, now.UnixMilli())
		f.nextID++
		p.sent[n].Store(now.UnixNano())
		p.late = append(p.late, now.Sub(due))
		if err := f.conn.Write(fr.bytes); err != nil {
			return err
		}
	}
	p.seconds = p.now().Sub(start).Seconds()
	sleepUntil(p.o.Clock, p.now().Add(time.Second))
	for _, f := range p.feeders {
		p.refused.Add(f.refusals.Load())
		p.errors.Add(f.failures.Load())
		if err := f.close(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

var nameUpdate = []byte("UPDATE")

// arrived takes the time of an update. Rows that enter are left out: those that
// move up were written long ago.
func (p *pacer) arrived(m []byte) {
	if !bytes.Contains(m[max(0, len(m)-16):], nameUpdate) {
		return
	}
	_, rest, ok := bytes.Cut(m, markWrite)
	if !ok || len(rest) < 4 {
		return
	}
	n := binary.BigEndian.Uint32(rest)
	if n == 0 || int(n) >= len(p.sent) {
		return
	}
	took := time.Duration(p.now().UnixNano() - p.sent[n].Load())
	p.mu.Lock()
	p.took = append(p.took, took)
	p.mu.Unlock()
}

func (p *pacer) times() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.took))
}
