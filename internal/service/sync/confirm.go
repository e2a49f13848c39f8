package sync

import (
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Track implements service.Tracker.
func (s *Service) Track(c *service.Caller) bool { return s.devices.track(c, c.Wake) }

// Confirmed is the time, in milliseconds since the Unix epoch, before which every
// device that takes part in OR maps has confirmed all removals.
func (s *Service) Confirmed() int64 { return s.devices.confirmed(s.engine.Clock().Sys()) }

// confirm takes CLIENT_APPLY_ACK, to which there is no reply. It counts up to
// what the session was sent, and only when all that the session has sent before
// is done: a device confirms removals together with its own operations.
func (s *Service) confirm(c *service.Caller, m *wire.ClientApplyAck) error {
	cursor := min(m.Cursor, s.covers.worth(c))
	if cursor <= s.devices.cursor(c) {
		return nil
	}
	if c.Acks.Full() {
		return service.ErrBusy
	}
	c.Acks.After(func(ok bool) {
		if ok {
			s.devices.confirm(c, cursor)
		}
	})
	return nil
}

// tellHorizon has a client drop the tombstones that the server has forgotten, so
// that their trees stay equal.
func (s *Service) tellHorizon(c *service.Caller) {
	if horizon := s.covers.begin(c, s.engine.Keeping().Horizon()); horizon > 0 {
		c.Send(prune(horizon))
	}
}

func prune(horizon int64) *wire.GCPrune {
	return &wire.GCPrune{OlderThan: hlc.Timestamp{Millis: horizon, Node: "-"}}
}

// sweepEvery is how often Sweep does something, in milliseconds.
const sweepEvery = 1000

// due reports whether a time has come that was set no more than span ahead: the
// clock may have been set back since.
func due(now, at, span int64) bool { return now >= at || at-now > span }

// Sweep tells clients how far deletions are forgotten, and sends the root of OR
// maps to those who have not confirmed all removals: whose root is the same
// confirms them, whose root is another one walks the tree. It is called every
// 100 ms and does something once a second.
func (s *Service) Sweep() {
	now := s.engine.Clock().Sys()
	if !due(now, s.next, sweepEvery) {
		return
	}
	s.next = now + sweepEvery
	s.devices.retry()
	s.devices.forget(now, s.covers.here)
	keeping := s.engine.Keeping()
	callers, probes := s.covers.due(keeping.Horizon(), keeping.Removals(), now)
	for _, c := range callers {
		c.Send(prune(keeping.Horizon()))
	}
	for _, name := range slices.Sorted(maps.Keys(probes)) {
		s.probe(name, probes[name])
	}
}

func (s *Service) probe(mapName string, callers []*service.Caller) {
	epoch := s.engine.Clock().Now().Millis
	s.tree(mapName, "", change.KindOR, func(t *merkle.Tree, err error) {
		if err != nil {
			return // asked again later
		}
		root, now := t.Root(), s.engine.Clock().Now()
		for _, c := range callers {
			s.covers.sent(c, mapName, epoch)
			c.Send(&wire.ORMapSyncRespRoot{MapName: mapName, RootHash: root, Timestamp: now, CoveringEpoch: epoch})
		}
	})
}
