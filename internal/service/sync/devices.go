package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// CursorMap is the map that holds what devices have confirmed.
const CursorMap = records.ReservedPrefix + "cursors"

// devices are those that take part in OR maps, by principal and device, and what
// each has confirmed.
//
// The protocol's epochs are times here: a covering epoch is the node's clock, in
// milliseconds, read before the data that it accompanies was collected. A tag
// removed before that time is removed in the data. So a cursor says by itself
// what it covers, and nothing has to be counted or remembered.
type devices struct {
	engine    *engine.Engine
	author    *change.Author
	retention int64 // ms

	mu    sync.Mutex
	known map[string]*device
	least int64 // of all cursors; never while there are none
	valid bool  // least is
}

// device is what is known of one.
type device struct {
	cursor int64 // confirmed and durable; 0 for nothing
	seen   int64 // when the record was written, in ms
	kept   bool  // the record is durable
	owner  uint64

	writing int64 // the cursor of the write under way, or -1
	next    int64 // to be written behind it
	waiting []func()
}

// noDevices is what the least cursor is while nobody takes part.
const noDevices = 1<<63 - 1

func newDevices(ctx context.Context, e *engine.Engine, retention time.Duration) (*devices, error) {
	d := &devices{
		engine: e, author: &change.Author{Origin: change.OriginSystem},
		retention: retention.Milliseconds(), known: map[string]*device{},
	}
	err := e.Preload(ctx, CursorMap, func(key, state string) {
		rec, err := crdt.ParseLWW(state)
		if err != nil || rec.Tombstone() {
			return
		}
		r := value.NewReader(rec.Value)
		if cursor := r.Int(); r.Err() == nil {
			d.known[key] = &device{cursor: cursor, seen: rec.TS.Millis, kept: true, writing: -1}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("load what devices have confirmed: %w", err)
	}
	return d, nil
}

// keyOf names a device. One that has no id shares its place with others that
// have none: it can write and never confirm.
func keyOf(c *service.Caller) string { return c.Principal.ID + "/" + c.Device }

// track calls then, perhaps at once, when the device is remembered durably. It
// reports whether it is.
func (d *devices) track(c *service.Caller, then func()) bool {
	key := keyOf(c)
	now := d.engine.Clock().Sys()
	d.mu.Lock()
	v := d.known[key]
	if v == nil {
		v = &device{writing: -1}
		d.known[key], d.valid = v, false
	}
	if v.kept {
		stale := now-v.seen > d.retention/16
		d.mu.Unlock()
		if stale {
			d.write(key, v, 0)
		}
		then()
		return true
	}
	v.waiting = append(v.waiting, then)
	d.mu.Unlock()
	d.write(key, v, 0)
	return false
}

// own makes the caller the one whose confirmations count, unless a newer session
// of the device is it, and returns what the device has confirmed.
func (d *devices) own(c *service.Caller) (cursor int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.known[keyOf(c)]
	if v == nil {
		return 0
	}
	v.owner = max(v.owner, c.ID)
	return v.cursor
}

// cursor is what the device has confirmed.
func (d *devices) cursor(c *service.Caller) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.known[keyOf(c)]; v != nil {
		return v.cursor
	}
	return 0
}

// confirm takes a confirmation of the session that owns the device. It counts
// when it is durable.
func (d *devices) confirm(c *service.Caller, cursor int64) {
	key := keyOf(c)
	d.mu.Lock()
	v := d.known[key]
	counts := c.Device != "" && v != nil && v.owner == c.ID && cursor > v.cursor
	d.mu.Unlock()
	if counts {
		d.write(key, v, cursor)
	}
}

// write stores a cursor; one that is under way is followed by the latest.
func (d *devices) write(key string, v *device, cursor int64) {
	d.mu.Lock()
	cursor = max(cursor, v.cursor)
	if v.writing >= 0 {
		v.next = max(v.next, cursor)
		d.mu.Unlock()
		return
	}
	v.writing = cursor
	d.mu.Unlock()
	ts := d.engine.Clock().Now()
	b := &engine.Batch{Until: engine.Durable}
	b.Ops = []records.Op{{
		Verb: change.Put, Kind: change.KindLWW, Map: CursorMap, Key: key, Hash: hash.Key(key),
		Value: value.AppendInt(nil, cursor), TS: ts, Author: d.author,
	}}
	b.Done = func(b *engine.Batch, err error) { d.written(key, v, ts, err == nil && b.Results[0].Err == nil) }
	d.engine.Do(b)
}

func (d *devices) written(key string, v *device, ts hlc.Timestamp, ok bool) {
	d.mu.Lock()
	if ok {
		v.cursor, v.seen, v.kept, d.valid = max(v.cursor, v.writing), ts.Millis, true, false
	}
	again := ok && v.next > v.cursor
	next := v.next
	v.writing, v.next = -1, 0
	var waiting []func()
	if ok {
		waiting, v.waiting = v.waiting, nil // otherwise retry writes it again
	}
	d.mu.Unlock()
	for _, fn := range waiting {
		fn()
	}
	if again {
		d.write(key, v, next)
	}
}

// retry writes again what could not be written.
func (d *devices) retry() {
	d.mu.Lock()
	var again []string
	for key, v := range d.known {
		if v.writing < 0 && len(v.waiting) > 0 {
			again = append(again, key)
		}
	}
	slices.Sort(again)
	all := make([]*device, len(again))
	for i, key := range again {
		all[i] = d.known[key]
	}
	d.mu.Unlock()
	for i, key := range again {
		d.write(key, all[i], 0)
	}
}

// confirmed is the time before which every device that takes part has confirmed
// all removals.
func (d *devices) confirmed(now int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.valid {
		d.least = noDevices
		for _, v := range d.known {
			d.least = min(d.least, v.cursor)
		}
		d.valid = true
	}
	return min(d.least, now) - grace
}

// forget drops the devices that have stayed away for longer than they are
// remembered. Their records end by themselves.
func (d *devices) forget(now int64, here func(session uint64) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(d.known)) {
		if v := d.known[key]; v.writing < 0 && now-v.seen > d.retention && !here(v.owner) {
			delete(d.known, key)
			d.valid = false
		}
	}
}
