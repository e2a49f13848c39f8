package sync

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// push merges what a client has found that it holds and the server may lack.
// There is no reply: a client would take any for the acknowledgement of its
// operations. What is refused is told by ERROR.
//
// Every entry of a push repeats the client's whole tombstone set. A tombstone of
// another key is of no use to this one, and removals travel as operations of
// their own, so only those are taken whose tag the key holds.
func (s *Service) push(c *service.Caller, m *wire.ORMapPushDiff, size int) error {
	if err := s.limits.Admit(&records.Op{Map: m.MapName}); err != nil {
		return &service.Error{Code: service.CodeOf(err), Text: err.Error(), Type: m.Type(), Request: m.MapName}
	}
	if len(m.Entries) == 0 {
		return nil
	}
	cost := 0
	for i := range m.Entries {
		cost += len(m.Entries[i].Records) + 1
	}
	if c.Acks.Full() {
		return service.ErrBusy
	}
	if err := s.engine.Admit(cost, size, c.Wake); err != nil {
		return service.Turned(err, m.Type(), m.MapName)
	}
	author := *c.Author
	author.Origin = change.OriginSync
	p := &push{service: s, caller: c, author: &author, message: m, cost: cost, size: size}
	p.ticket, p.since = c.Acks.Take(), s.since(c, m.MapName)
	p.gather = engine.NewGather(len(m.Entries), p.submit)
	p.known = make([]string, len(m.Entries))
	for i := range m.Entries {
		s.engine.Get(m.MapName, m.Entries[i].Key, func(state string, _ bool, err error) {
			p.known[i] = state
			p.gather.Done(err)
		})
	}
	return nil
}

// since is how old a tag may be that a push brings and that is not there. The
// device had sent all its own before it confirmed, and had dropped what was
// removed by then: an older tag is one whose removal may be forgotten. A session
// that has not begun to synchronise the map was not told to begin anew.
func (s *Service) since(c *service.Caller, mapName string) int64 {
	if s.engine.Keeping().Horizon() > 0 && !s.covers.synchronises(c, mapName) {
		return noDevices
	}
	return s.devices.cursor(c)
}

// push is one ORMAP_PUSH_DIFF under way.
type push struct {
	service *Service
	caller  *service.Caller
	author  *change.Author
	message *wire.ORMapPushDiff
	gather  *engine.Gather
	known   []string // the states of the entries' keys before
	batch   engine.Batch
	cost    int
	size    int
	since   int64
	ticket  *service.Ticket
	invalid error
}

// submit merges the entries once it is known which tags their keys hold.
func (p *push) submit(err error) {
	if err != nil {
		p.finish(err)
		return
	}
	for i := range p.message.Entries {
		e := &p.message.Entries[i]
		if e.Invalid != nil {
			p.invalid = e.Invalid
			continue
		}
		p.add(e, crdt.ORState(p.known[i]))
	}
	p.batch.Until = engine.Durable
	p.batch.Done = func(b *engine.Batch, err error) {
		for i := range b.Results {
			if b.Results[i].Err != nil {
				p.invalid = b.Results[i].Err
			}
		}
		p.finish(err)
	}
	p.service.engine.Do(&p.batch)
}

func (p *push) add(e *wire.ORMapEntry, known crdt.ORState) {
	op := records.Op{
		Map: p.message.MapName, Key: e.Key, Hash: hash.Key(e.Key), Kind: change.KindOR, Author: p.author,
		Since: p.since,
	}
	held := map[string]bool{}
	for r := range known.Records() {
		held[r.Tag] = true
	}
	for i := range e.Records {
		r := &e.Records[i]
		held[r.Tag] = true
		op.Verb, op.Tag, op.Value, op.TS = change.Add, r.Tag, r.Value, r.Timestamp
		op.TTL, op.HasTTL = r.TTL.Value, r.TTL.Set
		if err := p.service.limits.Admit(&op); err != nil {
			p.invalid = err
			continue
		}
		p.batch.Ops = append(p.batch.Ops, op)
	}
	for _, tag := range e.Tombstones {
		if held[tag] {
			op.Verb, op.Tag, op.Value = change.Drop, tag, nil
			p.batch.Ops = append(p.batch.Ops, op)
		}
	}
}

func (p *push) finish(err error) {
	p.service.engine.Credit.Return(p.cost, p.size)
	if err != nil {
		// What it holds was not taken, so nothing that the session confirms may
		// count.
		p.ticket.Fail(&service.Error{
			Code: service.CodeOf(err), Type: p.message.Type(), Request: p.message.MapName, Text: err.Error(),
		}, &service.CloseError{Code: wire.CloseTryAgainLater})
		return
	}
	if p.invalid != nil {
		p.caller.Send((&service.Error{
			Code: service.CodeOf(p.invalid), Type: p.message.Type(), Request: p.message.MapName,
			Text: fmt.Sprintf("part of what was pushed is refused: %v", p.invalid),
		}).Message())
	}
	p.ticket.Resolve()
}
