package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// shown is seen for a subscriber of a query, who gets values and no timestamps.
func (m *model) shown(mapName, key string, v value.Raw) error {
	at, _ := v.Any().(map[string]any)["at"].(string)
	ts, err := hlc.Parse(at)
	if err != nil {
		return fmt.Errorf("%s/%s was shown as %v: %w", mapName, key, v.Any(), err)
	}
	return m.seen(mapName, key, ts)
}

// verify reads everything from a server that nobody writes to and compares it
// with what was told before.
func (m *model) verify(ctx context.Context, port string) error {
	c, err := peer.Dial(ctx, port, peer.Options{})
	if err != nil {
		return err
	}
	defer c.Drop()
	var found []error
	for _, name := range registers {
		found = append(found, m.verifyRegisters(ctx, c, name))
	}
	for _, name := range bags {
		found = append(found, m.verifyBags(ctx, c, name))
	}
	for _, name := range tallies {
		found = append(found, m.verifyCounter(ctx, c, name))
	}
	return errors.Join(found...)
}

// problems collects what is wrong with one map, some of it.
type problems []string

func (p *problems) add(format string, args ...any) {
	*p = append(*p, fmt.Sprintf(format, args...))
}

func (p problems) err(mapName string) error {
	if len(p) == 0 {
		return nil
	}
	return fmt.Errorf("map %s: %d problems: %s", mapName, len(p), strings.Join(p[:min(len(p), 5)], "; "))
}

func (m *model) verifyRegisters(ctx context.Context, c *peer.Conn, mapName string) error {
	root, records, err := c.Records(ctx, mapName)
	if err != nil {
		return err
	}
	var bad problems
	var tree merkle.Tree
	live := 0
	for key, r := range records {
		tree.Update(hash.Key(key), 0, crdt.LWWHash(key, r.Timestamp), 1)
		if !r.Tombstone() {
			live++
		}
	}
	if tree.Root() != root {
		bad.add("the root is %08x, the records make %08x", root, tree.Root())
	}
	for at, reg := range m.lww {
		if at.mapName != mapName {
			continue
		}
		r, ok := records[at.key]
		removal, sent := reg.sent[r.Timestamp]
		switch {
		case !ok && reg.told.IsZero():
		case !ok:
			bad.add("%s is gone, %v was told", at.key, reg.told)
		case reg.told.After(r.Timestamp):
			bad.add("%s is of %v, %v was told", at.key, r.Timestamp, reg.told)
		case !sent:
			bad.add("%s is of %v, which nobody has sent", at.key, r.Timestamp)
		case removal != r.Tombstone():
			bad.add("%s of %v: removed is %v, sent was %v", at.key, r.Timestamp, r.Tombstone(), removal)
		case !removal && !bytes.Equal(r.Value, contents(at.key, r.Timestamp)):
			bad.add("%s of %v holds another value: %v", at.key, r.Timestamp, r.Value.Any())
		}
		delete(records, at.key)
	}
	if len(records) > 0 {
		bad.add("%d keys were never written: %v", len(records), slices.Sorted(maps.Keys(records)))
	}
	rows, err := query(ctx, c, mapName)
	if err != nil {
		return err
	}
	if len(rows) != live {
		bad.add("a query gives %d rows, the tree %d", len(rows), live)
	}
	for key, v := range rows {
		if err := m.shown(mapName, key, v); err != nil {
			bad.add("%v", err)
		}
	}
	return bad.err(mapName)
}

// query asks for all rows of a map.
func query(ctx context.Context, c *peer.Conn, mapName string) (map[string]value.Raw, error) {
	if err := c.Send(ctx, &wire.QuerySub{QueryID: mapName, MapName: mapName}); err != nil {
		return nil, err
	}
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return nil, err
		}
		if r, ok := m.(*wire.QueryResp); ok {
			rows := map[string]value.Raw{}
			for _, row := range r.Results {
				rows[row.Key] = row.Value
			}
			return rows, c.Send(ctx, &wire.QueryUnsub{QueryID: mapName})
		}
	}
}

func (m *model) verifyBags(ctx context.Context, c *peer.Conn, mapName string) error {
	root, entries, err := c.Sets(ctx, mapName)
	if err != nil {
		return err
	}
	var bad problems
	var tree merkle.Tree
	for key, e := range entries {
		sum, err := entryHash(e)
		if err != nil {
			return err
		}
		tree.Update(hash.Key(key), 0, sum, 1)
	}
	if tree.Root() != root {
		bad.add("the root is %08x, the entries make %08x", root, tree.Root())
	}
	for at, tags := range m.or {
		if at.mapName == mapName {
			verifyTags(&bad, at.key, tags, entries[at.key])
			delete(entries, at.key)
		}
	}
	if len(entries) > 0 {
		bad.add("%d keys were never written", len(entries))
	}
	return bad.err(mapName)
}

func verifyTags(bad *problems, key string, tags map[string]*element, e wire.ORMapEntry) {
	records := map[string]wire.ORRecord{}
	for _, r := range e.Records {
		records[r.Tag] = r
	}
	for tag, el := range tags {
		r, live := records[tag]
		dead := slices.Contains(e.Tombstones, tag)
		delete(records, tag)
		switch {
		case live && dead:
			bad.add("%s holds tag %s and its tombstone", key, tag)
		case live && !el.addSent, dead && !el.removeSent:
			bad.add("%s: tag %s was changed by nobody", key, tag)
		case el.removeTold && !dead:
			bad.add("%s: the removal of tag %s is lost", key, tag)
		case el.addAcked && !live && !el.removeSent:
			bad.add("%s: tag %s is lost", key, tag)
		case live && !bytes.Equal(r.Value, contents(key, el.ts)):
			bad.add("%s: tag %s holds another value", key, tag)
		}
	}
	if len(records) > 0 {
		bad.add("%s holds %d tags that nobody has added", key, len(records))
	}
}

func entryHash(e wire.ORMapEntry) (uint32, error) {
	var state crdt.ORState
	for _, tag := range e.Tombstones {
		b, _, _, _, err := state.Remove(nil, tag, 0)
		if err != nil {
			return 0, err
		}
		state = crdt.ORState(b)
	}
	for _, r := range e.Records {
		b, _, _, err := state.Add(nil, crdt.ORRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set})
		if err != nil {
			return 0, err
		}
		state = crdt.ORState(b)
	}
	return state.Hash(e.Key), nil
}

func (m *model) verifyCounter(ctx context.Context, c *peer.Conn, name string) error {
	if err := c.Send(ctx, &wire.CounterRequest{Name: name}); err != nil {
		return err
	}
	for {
		msg, err := c.Read(ctx)
		if err != nil {
			return err
		}
		r, ok := msg.(*wire.CounterResponse)
		if !ok {
			continue
		}
		var bad problems
		for node, n := range m.counters[name] {
			pos, _ := r.State.Positive.Get(node)
			neg, _ := r.State.Negative.Get(node)
			if pos < n.toldPos || neg < n.toldNeg || pos > n.sentPos || neg > n.sentNeg {
				bad.add("%s has %v/%v, told %v/%v, sent %v/%v", node, pos, neg, n.toldPos, n.toldNeg, n.sentPos, n.sentNeg)
			}
		}
		return bad.err(name)
	}
}
