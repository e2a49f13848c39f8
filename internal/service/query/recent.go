package query

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
)

const (
	// recentMillis is how long a session's recent keys are remembered, at least:
	// longer than a write of its client can be on its way.
	recentMillis = 30_000

	// recentKeys bounds the keys of one such time; beyond it every key counts as
	// recent until the time is over.
	recentKeys = 2048
)

// recent remembers which keys a session was sent events for, for one to two
// times recentMillis. Each of the two generations is full when it has no room
// for a key; then every key counts as recent.
type recent struct {
	since     int64
	now, past generation
}

type generation struct {
	keys map[uint64]struct{}
	full bool
}

func (g *generation) has(key uint64) bool {
	_, ok := g.keys[key]
	return ok || g.full
}

func recentKey(c *change.Record) uint64 {
	return uint64(hash.Key(c.Map))<<32 | uint64(c.KeyHash)
}

func (r *recent) add(key uint64, now int64) {
	r.turn(now)
	if len(r.now.keys) >= recentKeys {
		r.now.full = true
		return
	}
	if r.now.keys == nil {
		r.now.keys = map[uint64]struct{}{}
	}
	r.now.keys[key] = struct{}{}
}

func (r *recent) has(key uint64, now int64) bool {
	r.turn(now)
	return r.now.has(key) || r.past.has(key)
}

func (r *recent) turn(now int64) {
	age := now - r.since
	if age < recentMillis {
		return
	}
	r.past = generation{}
	if age < 2*recentMillis {
		r.past = r.now
	}
	r.now, r.since = generation{}, now
}
