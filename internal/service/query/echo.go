package query

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
)

const (
	// echoMillis is how long the sender of an event is remembered, at least:
	// longer than a write of another client can be on its way.
	echoMillis = 30_000

	// echoKeys bounds the keys of one such time; beyond it every key counts as
	// one that others have written until the time is over.
	echoKeys = 1 << 17
)

// echoes remembers which sessions events of a key came from, for one to two
// times echoMillis. It takes everybody for having heard of every event, so it
// sees a crossing where there may be none, and never misses one.
type echoes struct {
	since     int64
	now, past generation
}

type generation struct {
	keys map[uint64][2]uint64 // the last writer, and the last one before that was another
	full bool
}

func echoKey(c *change.Record) uint64 {
	return uint64(hash.Key(c.Map))<<32 | uint64(c.KeyHash)
}

// add notes that an event of a session's write was sent.
func (e *echoes) add(key, session uint64, now int64) {
	e.turn(now)
	g := &e.now
	last, known := g.keys[key]
	switch {
	case !known && len(g.keys) >= echoKeys:
		g.full = true
		return
	case g.keys == nil:
		g.keys = map[uint64][2]uint64{}
	}
	if !known {
		last[1] = session
	} else if last[0] != session {
		last[1] = last[0]
	}
	last[0] = session
	g.keys[key] = last
}

// others reports whether an event of a write of another session was sent lately.
func (e *echoes) others(key, session uint64, now int64) bool {
	e.turn(now)
	return e.now.others(key, session) || e.past.others(key, session)
}

func (g *generation) others(key, session uint64) bool {
	last, ok := g.keys[key]
	return g.full || ok && (last[0] != session || last[1] != session)
}

func (e *echoes) turn(now int64) {
	age := now - e.since
	if age < echoMillis {
		return
	}
	e.past = generation{}
	if age < 2*echoMillis {
		e.past = e.now
	}
	e.now, e.since = generation{}, now
}
