package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// events are the SERVER_EVENTs that a session was sent, in short.
func (p *peer) events() []string {
	p.h.t.Helper()
	var out []string
	for _, m := range p.Take(p.h.t) {
		if e, ok := m.(*wire.ServerEvent); ok {
			out = append(out, fmt.Sprint(e.EventType, " ", e.Key))
		}
	}
	return out
}

// by carries out an operation of a session.
func (h *harness) by(p *peer, op records.Op) []records.Result {
	h.t.Helper()
	op.Author = p.Author
	return h.world.Write(h.t, op)
}

func (h *harness) follow(p *peer, mapName string) {
	h.t.Helper()
	if err := h.service.Follow(p.Caller.Caller, mapName); err != nil {
		h.t.Fatal(err)
	}
	h.world.Settle()
}

// TestWhoHearsOfAChange is the table of SERVER_EVENT: those who follow the map,
// and those with a query without projection that the record matches, before or
// after; each once; and not the writer.
func TestWhoHearsOfAChange(t *testing.T) {
	five := question{where: map[string]any{"n": int64(5)}}
	five.field = nil
	for _, c := range []struct {
		name  string
		setup func(h *harness, p *peer)
		from  int // n before; -1: not there
		to    int // n after; -1: removed
		mine  bool
		want  int
	}{
		{name: "a stranger", to: 1},
		{name: "a follower", setup: func(h *harness, p *peer) { h.follow(p, liveMap) }, to: 1, want: 1},
		{name: "a follower of another map", setup: func(h *harness, p *peer) { h.follow(p, "other") }, to: 1},
		{name: "who follows twice", setup: func(h *harness, p *peer) { h.follow(p, liveMap); h.follow(p, liveMap) }, to: 1, want: 1},
		{name: "who follows and asks", setup: func(h *harness, p *peer) {
			h.follow(p, liveMap)
			h.subscribe(p, "a", questions[0], "")
			h.subscribe(p, "b", questions[2], "")
		}, to: 1, want: 1},
		{name: "who asks for everything", setup: func(h *harness, p *peer) { h.subscribe(p, "q", questions[0], "") }, to: 1, want: 1},
		{name: "who asks for some fields", setup: func(h *harness, p *peer) { h.subscribe(p, "q", questions[4], "") }, to: 1},
		{name: "who asks for what it becomes", setup: func(h *harness, p *peer) { h.subscribe(p, "q", five, "") }, from: 1, to: 5, want: 1},
		{name: "who asks for what it was", setup: func(h *harness, p *peer) { h.subscribe(p, "q", five, "") }, from: 5, to: 1, want: 1},
		{name: "who asks for what is removed", setup: func(h *harness, p *peer) { h.subscribe(p, "q", five, "") }, from: 5, to: -1, want: 1},
		{name: "who asks for something else", setup: func(h *harness, p *peer) { h.subscribe(p, "q", five, "") }, from: 1, to: 2},
		{name: "the writer", setup: func(h *harness, p *peer) { h.follow(p, liveMap) }, to: 1, mine: true},
		{name: "who has left", setup: func(h *harness, p *peer) { h.follow(p, liveMap); h.service.Leave(p.Caller.Caller) }, to: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, c.name, 1, gridtest.Options{Null: true}, Options{})
			p, writer := h.join(), h.join()
			if c.mine {
				writer = p
			}
			doc := func(n int) value.Raw {
				if n < 0 {
					return nil
				}
				return raw(t, map[string]any{"n": int64(n)})
			}
			h.by(writer, gridtest.Put(liveMap, "k", doc(c.from), gridtest.At(1, "x")))
			if c.setup != nil {
				c.setup(h, p)
			}
			h.settleAll()
			p.Take(t)
			h.by(writer, gridtest.Put(liveMap, "k", doc(c.to), gridtest.At(2, "x")))
			got := p.events()
			if len(got) != c.want {
				t.Fatalf("hears %q, want %d", got, c.want)
			}
			want := "PUT k"
			if c.to < 0 {
				want = "REMOVE k"
			}
			if c.want > 0 && got[0] != want {
				t.Errorf("hears %s, want %s", got[0], want)
			}
			// Again: nothing has changed, nobody hears of it.
			h.by(writer, gridtest.Put(liveMap, "k", doc(c.to), gridtest.At(2, "x")))
			if got := p.Take(t); len(got) != 0 {
				t.Errorf("a write that comes again is told as %s", servicetest.Types(got))
			}
		})
	}
}

// TestWhatIsToldOfAChange: the event holds the record as it is stored, to the
// byte, with its time to live and the time of its arrival.
func TestWhatIsToldOfAChange(t *testing.T) {
	h := newHarness(t, "told", 1, gridtest.Options{Null: true}, Options{})
	p, writer := h.join(), h.join()
	h.follow(p, liveMap)
	h.follow(p, "tags")
	odd := value.Raw{0xd3, 0, 0, 0, 0, 0, 0, 0, 1}
	op := gridtest.Put(liveMap, "k", odd, gridtest.At(1, "x"))
	op.TTL = 50_000
	h.by(writer, op)
	e := servicetest.One[*wire.ServerEvent](t, p.Caller)
	r := e.Record.Value
	if e.MapName != liveMap || e.EventType != wire.EventPut || string(r.Value) != string(odd) || r.Timestamp != op.TS || r.TTL != op.TTL || e.Timestamp.Node != "server" {
		t.Errorf("a write is told as %+v", e)
	}
	h.by(writer, gridtest.Put(liveMap, "k", nil, gridtest.At(2, "x")))
	e = servicetest.One[*wire.ServerEvent](t, p.Caller)
	if e.EventType != wire.EventRemove || !e.Record.Set || !e.Record.Value.Tombstone() || e.Record.Value.Timestamp != gridtest.At(2, "x") {
		t.Errorf("a removal is told as %+v", e)
	}
	add := gridtest.Add("tags", "k", odd, gridtest.At(3, "x"))
	add.TTL, add.HasTTL = 0, true
	h.by(writer, add)
	e = servicetest.One[*wire.ServerEvent](t, p.Caller)
	or := e.ORRecord.Value
	if e.EventType != wire.EventORAdd || or.Tag != add.Tag || string(or.Value) != string(odd) || or.Timestamp != add.TS || !or.TTL.Set {
		t.Errorf("an addition is told as %+v", e)
	}
	h.by(writer, gridtest.Drop("tags", "k", add.Tag))
	e = servicetest.One[*wire.ServerEvent](t, p.Caller)
	if e.EventType != wire.EventORRemove || e.ORTag != add.Tag || e.Key != "k" {
		t.Errorf("the end of a tag is told as %+v", e)
	}
	state, err := crdt.AppendCounter(nil, map[string]float64{"x": 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.follow(p, records.CounterMap)
	h.by(writer, records.Op{
		Verb: change.Merge, Kind: change.KindCounter, Map: records.CounterMap, Key: "c", Hash: hash.Key("c"), Counter: crdt.CounterState(state),
	})
	if got := p.Take(t); len(got) != 0 {
		t.Errorf("a counter is told as %s", servicetest.Types(got))
	}
}

// TestAWriterHearsWhatItHasToKnow: of a write of its own that was re-stamped, and
// of one that may have crossed an event for the same key on its way.
func TestAWriterHearsWhatItHasToKnow(t *testing.T) {
	h := newHarness(t, "echo", 1, gridtest.Options{Null: true}, Options{})
	p, other := h.join(), h.join()
	h.follow(p, liveMap)
	millis := int64(0)
	write := func(who *peer, key string, ahead int64) {
		millis++
		h.by(who, gridtest.Put(liveMap, key, gridtest.Int(int(millis)), hlc.Timestamp{
			Millis: h.world.Clock.Millis() + ahead, Counter: uint32(millis), Node: fmt.Sprint("p", who.ID),
		}))
	}
	hears := func(what string, want ...string) {
		t.Helper()
		if got := p.events(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: hears %q, want %q", what, got, want)
		}
	}
	write(p, "a", 0)
	hears("of its own write")
	write(p, "b", 3600_000)
	hears("of its own write, re-stamped", "PUT b")
	write(other, "a", 0)
	hears("of another's write", "PUT a")
	write(p, "a", 0)
	hears("of its own write after another's", "PUT a")
	write(p, "c", 0)
	hears("of its own write of another key")
	h.world.Clock.Advance(3 * echoMillis * time.Millisecond)
	write(p, "a", 0)
	hears("of its own write long after")
}

// TestEchoes: whose events of a key were sent is remembered for the time that it
// is said to be, and not for ever, and the memory is bounded.
func TestEchoes(t *testing.T) {
	var e echoes
	now := int64(1_000_000)
	e.add(1, 7, now)
	for _, later := range []int64{0, 1, echoMillis - 1, echoMillis} {
		if !e.others(1, 8, now+later) || e.others(1, 7, now+later) {
			t.Errorf("after %d ms: of another %t, of its own %t", later, e.others(1, 8, now+later), e.others(1, 7, now+later))
		}
	}
	if e.others(2, 7, now) {
		t.Error("a key is remembered that never was")
	}
	if e.others(1, 8, now+3*echoMillis) {
		t.Error("remembered for ever")
	}
	now += 10 * echoMillis
	e.add(1, 7, now)
	e.add(1, 8, now)
	e.add(1, 8, now)
	for _, session := range []uint64{7, 8, 9} {
		if !e.others(1, session, now) {
			t.Errorf("session %d does not hear of the others", session)
		}
	}
	for key := range uint64(3 * echoKeys) {
		e.add(key, 7, now)
	}
	if len(e.now.keys) > echoKeys || !e.others(99_999_999, 7, now) {
		t.Errorf("%d keys are remembered; beyond the bound every key counts: %t", len(e.now.keys), e.others(99_999_999, 7, now))
	}
	if e.others(5, 7, now+2*echoMillis) {
		t.Error("the bound is remembered for ever")
	}
}

// TestAGapEndsThoseWhoFollow: a session that replicates a map and has missed
// changes is sent away, to come back and synchronise; live queries go on.
func TestAGapEndsThoseWhoFollow(t *testing.T) {
	h := newHarness(t, "gap", 1, gridtest.Options{Null: true}, Options{Inbox: 4})
	p, asks, elsewhere := h.join(), h.join(), h.join()
	h.follow(p, liveMap)
	h.follow(elsewhere, "other")
	h.subscribe(asks, "q", questions[0], "")
	h.settle()
	for n := range 10 {
		h.world.Do(0, gridtest.Put(liveMap, fmt.Sprint("k", n), raw(t, map[string]any{"n": int64(n)}), gridtest.At(int64(n), "x")))
		for _, l := range h.world.Engine.Actors() {
			for l.Step() {
			}
		}
	}
	h.check("after the gap")
	if _, gaps := h.service.inbox.Depth(); gaps == 0 {
		t.Fatal("the inbox did not overflow")
	}
	if why := p.Closed(); why == nil || why.Code != wire.CloseTryAgainLater {
		t.Errorf("who follows the map: %v", why)
	}
	if asks.Closed() != nil || len(asks.lives["q"].rows) != 10 {
		t.Errorf("who asks: %v, %d rows", asks.Closed(), len(asks.lives["q"].rows))
	}
	h.leave()
}

// TestFollowingMissesNothing: a session follows a map, and reads it, while the
// service is in the midst of a step. Whatever is written behind that read
// reaches the session, even when it is published before the step ends.
func TestFollowingMissesNothing(t *testing.T) {
	h := newHarness(t, "crossing", 1, gridtest.Options{Null: true}, Options{})
	p := h.join()
	busy := servicetest.NewCaller(99, 1)
	busy.Caller.Wake = func() {
		// Between the commands that the step has taken and the changes that it
		// takes: a session asks to follow, and then somebody writes.
		if err := h.service.Follow(p.Caller.Caller, liveMap); err != nil {
			t.Error(err)
		}
		h.world.Do(0, gridtest.Put(liveMap, "k", gridtest.Int(1), gridtest.At(1, "x")))
		for _, l := range h.world.Engine.Actors() {
			for l.Step() {
			}
		}
	}
	h.service.away.add(busy.Caller)
	h.service.Step()
	h.settleAll()
	if got := p.events(); fmt.Sprint(got) != "[PUT k]" {
		t.Errorf("hears %q", got)
	}
}
