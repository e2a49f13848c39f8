package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// IndexMap is the map that holds the definitions of indexes.
const IndexMap = records.ReservedPrefix + "indexes"

// Why an index is not made or dropped.
var (
	ErrIndexExists  = errors.New("engine: there is an index of these fields")
	ErrNoIndex      = errors.New("engine: there is no such index")
	ErrIndexedKind  = errors.New("engine: only maps of last-writer-wins records have indexes")
	ErrIndexLimit   = errors.New("engine: the map has as many indexes as it may have")
	ErrIndexLoading = errors.New("engine: the definitions of indexes are being read; try again")
)

// maxIndexes bounds the indexes of one map: each costs memory and time with
// every write.
const maxIndexes = 16

// IndexInfo is how an index is doing.
type IndexInfo struct {
	index.Definition

	// Done is set when the index has all records, on every lane. Until then
	// Processed of Total records were looked at, about.
	Done             bool
	Processed, Total int

	Entries, Bytes int

	// AtStart says that the index was there before the node started, and is being
	// or was built from the records anew.
	AtStart bool
}

// Indexes are the secondary indexes of a node. Their definitions are durable;
// the indexes themselves are in memory and are built again after a start, while
// the node serves.
//
// All methods are safe for concurrent use.
type Indexes struct {
	engine *Engine
	author *change.Author

	mu     sync.Mutex
	loaded bool
	byMap  map[string][]*indexBuild
	stuck  []func() // to be tried again
}

// indexBuild is an index and how far its building is.
type indexBuild struct {
	IndexInfo

	gone  bool
	lanes []laneBuild
}

type laneBuild struct{ processed, total, entries, bytes int }

func newIndexes(e *Engine) *Indexes {
	return &Indexes{engine: e, author: &change.Author{Origin: change.OriginSystem}, byMap: map[string][]*indexBuild{}}
}

// Load reads the definitions, begins to build the indexes, and then makes those
// that are wanted and not there. refused is told of those that cannot be made,
// because their map holds another kind or has too many. It is called once.
func (x *Indexes) Load(wanted []index.Definition, refused func(d index.Definition, why error)) {
	lanes := len(x.engine.lanes)
	g := NewGather(lanes, func(error) {
		x.mu.Lock()
		x.loaded = true
		x.mu.Unlock()
		for _, d := range wanted {
			x.want(d, refused)
		}
	})
	for n := range lanes {
		x.list(n, g)
	}
}

// want makes an index unless it is there, and tries until it can be made or is
// refused.
func (x *Indexes) want(d index.Definition, refused func(index.Definition, error)) {
	x.Create(d, func(err error) {
		switch {
		case errors.Is(err, lane.ErrUnavailable):
			x.later(func() { x.want(d, refused) })
		case err != nil && !errors.Is(err, ErrIndexExists):
			refused(d, err)
		}
	})
}

// list reads the definitions that one lane has.
func (x *Indexes) list(n int, g *Gather) {
	t := &passRead{}
	t.req = ScanRequest{Map: IndexMap, Lane: n, Budget: maxDefinitions}
	t.release = func(rows []Row, _ Place, err error) {
		if err != nil {
			x.later(func() { x.list(n, g) })
			return
		}
		for i := range rows {
			if d, ok := definitionOf(rows[i].State); ok {
				x.begin(d, true)
			}
		}
		g.Done(nil)
	}
	x.engine.submit(n, t)
}

// maxDefinitions bounds the definitions of a node.
const maxDefinitions = 1 << 16

// later has something tried again with the next Sweep.
func (x *Indexes) later(fn func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stuck = append(x.stuck, fn)
}

// Sweep tries again what could not be done. It is called from time to time.
func (x *Indexes) Sweep() {
	x.mu.Lock()
	stuck := x.stuck
	x.stuck = nil
	x.mu.Unlock()
	for _, fn := range stuck {
		fn()
	}
}

// Create makes an index. done is called once, when the definition is durable or
// refused; the building goes on after that.
func (x *Indexes) Create(d index.Definition, done func(error)) {
	if err := x.admit(d); err != nil {
		done(err)
		return
	}
	d.Fields = slices.Clone(d.Fields)
	x.store(d, change.Put, func(err error) {
		if err == nil {
			x.begin(d, false)
		}
		done(err)
	})
}

func (x *Indexes) admit(d index.Definition) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if records.Reserved(d.Map) {
		return fmt.Errorf("%w: map %q is the server's own", index.ErrDefinition, d.Map)
	}
	if k := x.engine.kinds.Of(d.Map); k != change.KindNone && k != change.KindLWW {
		return ErrIndexedKind
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !x.loaded:
		return ErrIndexLoading
	case x.find(d) != nil:
		return ErrIndexExists
	case len(x.byMap[d.Map]) >= maxIndexes:
		return ErrIndexLimit
	}
	return nil
}

func (x *Indexes) find(d index.Definition) *indexBuild {
	for _, b := range x.byMap[d.Map] {
		if b.Name() == d.Name() {
			return b
		}
	}
	return nil
}

// Drop removes the index of these fields of a map. done is called once, when
// that is durable.
func (x *Indexes) Drop(mapName string, fields []string, done func(error)) {
	d := index.Definition{Map: mapName, Fields: fields}
	x.mu.Lock()
	b := x.find(d)
	loaded := x.loaded
	x.mu.Unlock()
	if b == nil {
		if !loaded {
			done(ErrIndexLoading)
			return
		}
		done(ErrNoIndex)
		return
	}
	x.store(b.Definition, change.Remove, func(err error) {
		if err == nil {
			x.forget(b)
		}
		done(err)
	})
}

func (x *Indexes) forget(b *indexBuild) {
	x.mu.Lock()
	b.gone = true
	x.byMap[b.Map] = slices.DeleteFunc(x.byMap[b.Map], func(o *indexBuild) bool { return o == b })
	if len(x.byMap[b.Map]) == 0 {
		delete(x.byMap, b.Map)
	}
	x.mu.Unlock()
	for n := range x.engine.lanes {
		x.engine.submit(n, &laneCall{call: func(v *lane.View) {
			if x.current(b.Definition) == nil {
				v.Shared().DropIndex(b.Definition)
			}
		}})
	}
}

func (x *Indexes) current(d index.Definition) *indexBuild {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.find(d)
}

// Of returns the definitions of the complete indexes of a map.
func (x *Indexes) Of(mapName string) []index.Definition {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []index.Definition
	for _, b := range x.byMap[mapName] {
		if b.Done {
			out = append(out, b.Definition)
		}
	}
	return out
}

// List says how all indexes are doing, by map and fields.
func (x *Indexes) List() []IndexInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []IndexInfo
	for _, name := range slices.Sorted(maps.Keys(x.byMap)) {
		for _, b := range x.byMap[name] {
			out = append(out, b.info())
		}
	}
	slices.SortStableFunc(out, func(a, b IndexInfo) int { return cmp.Compare(a.Name(), b.Name()) })
	return out
}

func (b *indexBuild) info() IndexInfo {
	i := b.IndexInfo
	for _, l := range b.lanes {
		i.Processed += l.processed
		i.Total += l.total
		i.Entries += l.entries
		i.Bytes += l.bytes
	}
	return i
}

// store writes or removes a definition.
func (x *Indexes) store(d index.Definition, verb change.Verb, done func(error)) {
	key := d.Name()
	op := records.Op{
		Verb: verb, Kind: change.KindLWW, Map: IndexMap, Key: key, Hash: hash.Key(key),
		TS: x.engine.clock.Now(), Author: x.author,
	}
	if verb == change.Put {
		op.Value = encodeDefinition(d)
	}
	b := &Batch{Ops: []records.Op{op}, Until: Durable}
	b.Done = func(_ *Batch, err error) { done(err) }
	x.engine.Do(b)
}

func encodeDefinition(d index.Definition) value.Raw {
	b := value.AppendStr(value.AppendMap(nil, 3), "map")
	b = value.AppendStr(b, d.Map)
	b = value.AppendStr(value.AppendStr(b, "kind"), string(d.Kind))
	b = value.AppendArray(value.AppendStr(b, "fields"), len(d.Fields))
	for _, f := range d.Fields {
		b = value.AppendStr(b, f)
	}
	return b
}

// definitionOf reads a definition. ok is false for one that was dropped, and for
// one that this version does not know.
func definitionOf(state string) (d index.Definition, ok bool) {
	rec, err := crdt.ParseLWW(state)
	if err != nil || rec.Tombstone() {
		return d, false
	}
	text := func(v value.Raw) string {
		s, _ := v.Any().(string)
		return s
	}
	for name, v := range value.Fields(rec.Value) {
		switch name {
		case "map":
			d.Map = text(v)
		case "kind":
			d.Kind = index.Kind(text(v))
		case "fields":
			for f := range value.Elements(v) {
				d.Fields = append(d.Fields, text(f))
			}
		}
	}
	return d, d.Validate() == nil
}

// Has reports whether there is an index of these fields, complete or not.
func (x *Indexes) Has(d index.Definition) bool { return x.current(d) != nil }
