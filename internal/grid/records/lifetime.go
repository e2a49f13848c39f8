package records

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// Lifetimes say how long records and tombstones are kept. The zero value keeps
// records for ever, unless they carry a ttl themselves, and tombstones for the
// default time.
type Lifetimes struct {
	// TTL is the time to live of records that carry none, by map. The first entry
	// that names a map counts.
	TTL []MapSpan

	// MaxIdle is how long after its last write a key lives, by map.
	MaxIdle []MapSpan

	// Tombstones is how long a tombstone is kept that not every device has
	// confirmed, and how old a write may be that makes a key. Default 30 days.
	Tombstones time.Duration
}

// MapSpan is a duration for some maps.
type MapSpan struct {
	// Map is the name of a map, or the beginning of names followed by *. A pattern
	// never means the server's own maps.
	Map string

	Span time.Duration
}

// defaultTombstones is what the protocol's servers agree on.
const defaultTombstones = 30 * 24 * time.Hour

// spanOf is the duration for a map in milliseconds, 0 for none.
func spanOf(spans []MapSpan, mapName string) int64 {
	for _, s := range spans {
		prefix, pattern := strings.CutSuffix(s.Map, "*")
		if s.Map == mapName || pattern && strings.HasPrefix(mapName, prefix) && !Reserved(mapName) {
			return s.Span.Milliseconds()
		}
	}
	return 0
}

// Keeping is what all lanes of a node have in common about lifetimes: the rules,
// and how far they have come. It is safe for concurrent use.
type Keeping struct {
	lifetimes         Lifetimes
	horizon, removals atomic.Int64

	expired, reclaimed, stale atomic.Uint64
}

// NewKeeping makes the shared part.
func NewKeeping(l Lifetimes) *Keeping {
	if l.Tombstones == 0 {
		l.Tombstones = defaultTombstones
	}
	return &Keeping{lifetimes: l}
}

// Horizon is the latest horizon of a partition, in milliseconds since the Unix
// epoch; 0 while no tombstone was ever reclaimed. See Replica.
func (k *Keeping) Horizon() int64 { return k.horizon.Load() }

// Counts are the records and tags that have expired, the tombstones that were
// reclaimed, and the operations that were refused because they were older than a
// horizon, since the start.
func (k *Keeping) Counts() (expired, reclaimed, stale uint64) {
	return k.expired.Load(), k.reclaimed.Load(), k.stale.Load()
}

// Removals is when the latest tag was removed that is remembered, in milliseconds
// since the Unix epoch.
func (k *Keeping) Removals() int64 { return k.removals.Load() }

func raise(v *atomic.Int64, to int64) {
	for {
		have := v.Load()
		if have >= to || v.CompareAndSwap(have, to) {
			return
		}
	}
}

// cut is the time before which tombstones have lived long enough. It moves in
// steps of about a hundredth of their lifetime, so that a horizon is logged now
// and then and not with every tombstone.
func (k *Keeping) cut(sys int64) int64 {
	keep := k.lifetimes.Tombstones.Milliseconds()
	step := max(keep/128, 1)
	return max((sys-keep)/step*step, 0)
}

// timed reports whether records of the map end that carry no ttl.
func (m *Map) timed() bool { return m.ttl != 0 || m.maxIdle != 0 }

// end is the last millisecond in which a record is alive, or never. A ttl of its
// own goes before that of the map; both count from the writer's timestamp, as
// clients count. Idleness counts from the arrival of the last write.
func (m *Map) end(millis, ttl int64, arrival uint64) int64 {
	end := int64(never)
	if ttl == 0 {
		ttl = m.ttl
	}
	if ttl != 0 {
		end = addSaturated(millis, min(ttl, maxEnd))
	}
	if m.maxIdle != 0 {
		end = min(end, int64(arrival>>16)+m.maxIdle)
	}
	if end > maxEnd {
		return never
	}
	return end
}

// maxEnd is the last time that the protocol's numbers can tell from others.
const maxEnd = 1<<53 - 1

// deathOf is when a tombstone of a tag begins to count: when the tag was removed,
// or the later time that the tag itself tells. known is false for a tag that
// tells none: such a tombstone has no age.
func deathOf(tag string, removedAt int64) (at int64, known bool) {
	ts, err := hlc.Parse(tag)
	return max(removedAt, ts.Millis), err == nil
}
