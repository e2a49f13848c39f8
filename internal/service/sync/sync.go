package sync

import (
	"context"
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Follower makes a session a recipient of a map's changes.
type Follower interface {
	Follow(c *service.Caller, mapName string) error
}

// Service answers requests for synchronisation.
type Service struct {
	engine   *engine.Engine
	follower Follower
	limits   service.Limits
	devices  *devices
	covers   covers
	next     int64 // when Sweep does something, in ms
}

// New makes the service, with what devices had confirmed before. A device that
// stays away for longer than retention is forgotten; 0 means 90 days. It is
// called before the lanes run.
func New(ctx context.Context, e *engine.Engine, f Follower, lim service.Limits, retention time.Duration) (*Service, error) {
	if retention == 0 {
		retention = 90 * 24 * time.Hour
	}
	d, err := newDevices(ctx, e, retention)
	if err != nil {
		return nil, err
	}
	return &Service{engine: e, follower: f, limits: lim.WithDefaults(), devices: d}, nil
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type {
	return []wire.Type{
		wire.TypeSyncInit, wire.TypeMerkleReqBucket,
		wire.TypeORMapSyncInit, wire.TypeORMapMerkleReqBucket, wire.TypeORMapDiffRequest, wire.TypeORMapPushDiff,
		wire.TypeClientApplyAck,
	}
}

// Leave implements service.Service.
func (s *Service) Leave(c *service.Caller) { s.covers.leave(c) }

// Handle implements service.Service.
func (s *Service) Handle(c *service.Caller, m wire.Message, size int) error {
	switch m := m.(type) {
	case *wire.SyncInit:
		return s.begin(c, m)
	case *wire.ORMapSyncInit:
		return s.beginSet(c, m)
	case *wire.MerkleReqBucket:
		return s.bucket(c, m.MapName, m.Path, change.KindLWW)
	case *wire.ClientApplyAck:
		return s.confirm(c, m)
	case *wire.ORMapMerkleReqBucket:
		s.covers.differs(c, m.MapName, s.engine.Clock().Sys())
		return s.bucket(c, m.MapName, m.Path, change.KindOR)
	case *wire.ORMapDiffRequest:
		return s.diff(c, m, size)
	case *wire.ORMapPushDiff:
		return s.push(c, m, size)
	}
	return nil
}

// begin answers with the root. A map that is unknown, reserved, or of another
// kind has the root of an empty one: the protocol knows no other answer. A
// replica that was last brought up to date before deletions were forgotten has
// to begin anew.
func (s *Service) begin(c *service.Caller, m *wire.SyncInit) error {
	if err := s.follow(c, m.MapName); err != nil {
		return err
	}
	s.tellHorizon(c)
	if m.LastSyncTimestamp > 0 && m.LastSyncTimestamp < s.engine.Keeping().Horizon() {
		c.Send(&wire.SyncResetRequired{
			MapName: m.MapName, Reason: "the replica is older than the deletions that the server remembers",
		})
		return nil
	}
	s.tree(m.MapName, "", change.KindLWW, func(t *merkle.Tree, err error) {
		if err != nil {
			s.unavailable(c, err)
			return
		}
		c.Send(&wire.SyncRespRoot{
			MapName: m.MapName, RootHash: t.Root(), Timestamp: s.engine.Clock().Now(), Epoch: int64(s.engine.Epoch()),
		})
	})
	return nil
}

func (s *Service) follow(c *service.Caller, mapName string) error {
	if records.Reserved(mapName) {
		return nil
	}
	return s.follower.Follow(c, mapName)
}

// beginSet is begin for an OR map. The device is remembered before it is
// answered; see devices.
func (s *Service) beginSet(c *service.Caller, m *wire.ORMapSyncInit) error {
	if err := s.follow(c, m.MapName); err != nil {
		return err
	}
	if s.hidden(m.MapName, change.KindOR) {
		c.Send(&wire.ORMapSyncRespRoot{MapName: m.MapName, Timestamp: s.engine.Clock().Now()})
		return nil
	}
	again, err := s.covers.open(c, m.MapName, s.engine.Clock().Sys())
	if err != nil {
		return err
	}
	s.tellHorizon(c)
	s.devices.track(c, func() { s.root(c, m, again) })
	return nil
}

// root answers ORMAP_SYNC_INIT. A root that is the client's own comes with its
// covering epoch; a client whose root is another one is sent one later, when it
// may have caught up (see Sweep).
func (s *Service) root(c *service.Caller, m *wire.ORMapSyncInit, again bool) {
	cursor := s.devices.own(c)
	epoch := s.engine.Clock().Now().Millis
	horizon := s.engine.Keeping().Horizon()
	// Whoever may hold tags whose removal is forgotten begins anew: a device that
	// has confirmed nothing, or not enough, or that has lost what it had confirmed.
	// Once on a connection: then it has.
	full := !again && horizon > 0 && m.RootHash != 0 && (cursor < horizon || m.ClaimedEpoch < cursor)
	s.tree(m.MapName, "", change.KindOR, func(t *merkle.Tree, err error) {
		if err != nil {
			s.unavailable(c, err)
			return
		}
		resp := &wire.ORMapSyncRespRoot{MapName: m.MapName, RootHash: t.Root(), Timestamp: s.engine.Clock().Now()}
		switch {
		case full && !mistake.NoHorizon:
			// The client also drops its operations from before the timestamp.
			resp.FullResync, resp.Timestamp.Millis, resp.Timestamp.Counter = true, horizon, 0
		case resp.RootHash == m.RootHash:
			resp.CoveringEpoch = epoch
			s.covers.sent(c, m.MapName, epoch)
		}
		c.Send(resp)
	})
}

func (s *Service) tree(mapName, path string, kind change.Kind, done func(*merkle.Tree, error)) {
	if s.hidden(mapName, kind) {
		done(&merkle.Tree{}, nil)
		return
	}
	s.engine.Tree(mapName, path, func(t *merkle.Tree, err error) {
		if s.hidden(mapName, kind) { // it has got its kind meanwhile
			t = &merkle.Tree{}
		}
		done(t, err)
	})
}

// hidden reports whether a map is reserved or of another kind. One that has no
// kind is not: a write to it may be on its way to the lane that is asked.
func (s *Service) hidden(mapName string, kind change.Kind) bool {
	if records.Reserved(mapName) {
		return true
	}
	has := s.engine.Kinds().Of(mapName)
	return has != change.KindNone && has != kind
}

// unavailable ends the session: what it asked for has no other answer, and it
// asks again when it comes back.
func (s *Service) unavailable(c *service.Caller, err error) {
	c.Send((&service.Error{Code: service.CodeOf(err), Text: err.Error()}).Message())
	c.Out.Close(&service.CloseError{Code: wire.CloseTryAgainLater})
}

// bucket answers with what is below a path: children, or the records of a leaf.
// The client asks for all that differs at once, so each answer has its turn.
func (s *Service) bucket(c *service.Caller, mapName, path string, kind change.Kind) error {
	leaf, _, ok := merkle.Range(path)
	if !ok {
		return &service.Error{Code: wire.CodeInvalidField, Text: "the path is not made of at most three lower-case hex digits", Request: mapName}
	}
	mapName, path = strings.Clone(mapName), strings.Clone(path)
	taken := c.Asks.Do(len(mapName)+len(path), func() {
		if len(path) == merkle.Depth {
			s.leaf(c, mapName, path, leaf, kind)
			return
		}
		s.children(c, mapName, path, kind)
	})
	if !taken {
		return service.ErrBusy
	}
	return nil
}

func (s *Service) children(c *service.Caller, mapName, path string, kind change.Kind) {
	s.tree(mapName, path, kind, func(t *merkle.Tree, err error) {
		if err != nil {
			s.unavailable(c, err)
			return
		}
		var b wire.Buckets
		if kind == change.KindOR && len(path) < merkle.Depth-1 {
			// The client looks only at digits that are listed, so list them all:
			// it then finds what only it has (protocol 02 §5.2).
			for digit := range 16 {
				b.Set(digit, 0)
			}
		}
		for _, child := range t.Children(path) {
			b.Set(digit(child.Digit), child.Hash)
		}
		if kind == change.KindOR {
			answer(c, &wire.ORMapSyncRespBuckets{MapName: mapName, Path: path, Buckets: b})
			return
		}
		answer(c, &wire.SyncRespBuckets{MapName: mapName, Path: path, Buckets: b})
	})
}

// answer sends the answer to one of the caller's Asks.
func answer(c *service.Caller, m wire.Message) {
	c.Asks.Answer(service.Frame{Head: wire.Append(nil, m)})
}

// digit is the value of a lower-case hexadecimal digit.
func digit(c byte) int {
	if c >= 'a' {
		return int(c-'a') + 10
	}
	return int(c - '0')
}

func (s *Service) leaf(c *service.Caller, mapName, path string, leaf uint16, kind change.Kind) {
	done := func(rows []engine.Row, err error) {
		if err != nil {
			s.unavailable(c, err)
			return
		}
		if s.hidden(mapName, kind) {
			rows = nil
		}
		if kind == change.KindOR {
			answer(c, &wire.ORMapSyncRespLeaf{MapName: mapName, Path: path, Entries: entries(rows)})
			return
		}
		answer(c, &wire.SyncRespLeaf{MapName: mapName, Path: path, Records: keyed(rows)})
	}
	if s.hidden(mapName, kind) {
		done(nil, nil)
		return
	}
	s.engine.Leaf(mapName, leaf, done)
}

func keyed(rows []engine.Row) []wire.KeyedRecord {
	out := make([]wire.KeyedRecord, 0, len(rows))
	for i := range rows {
		r, err := crdt.ParseLWW(rows[i].State)
		if err != nil {
			continue // of another kind; see begin
		}
		out = append(out, wire.KeyedRecord{Key: rows[i].Key, Record: wire.LWWRecord{Value: r.Value, Timestamp: r.TS, TTL: r.TTL}})
	}
	return out
}

func entries(rows []engine.Row) []wire.ORMapEntry {
	out := make([]wire.ORMapEntry, 0, len(rows))
	for i := range rows {
		out = append(out, entry(rows[i].Key, crdt.ORState(rows[i].State)))
	}
	return out
}

// entry is a key with its live records and its tombstones. A key without live
// records has an entry too: that is how its removal reaches replicas.
func entry(key string, state crdt.ORState) wire.ORMapEntry {
	e := wire.ORMapEntry{Key: key}
	for r := range state.Records() {
		e.Records = append(e.Records, wire.ORRecord{
			Value: r.Value, Timestamp: r.TS, Tag: r.Tag, TTL: wire.Opt[int64]{Value: r.TTL, Set: r.HasTTL},
		})
	}
	for tag := range state.Tombstones() {
		e.Tombstones = append(e.Tombstones, tag)
	}
	return e
}

// diff answers with the entries of some keys; a key that is unknown has an
// empty one.
func (s *Service) diff(c *service.Caller, m *wire.ORMapDiffRequest, size int) error {
	if !c.Asks.Do(size, func() { s.keys(c, m) }) {
		return service.ErrBusy
	}
	return nil
}

func (s *Service) keys(c *service.Caller, m *wire.ORMapDiffRequest) {
	resp := &wire.ORMapDiffResponse{MapName: m.MapName, Entries: make([]wire.ORMapEntry, len(m.Keys))}
	for i, key := range m.Keys {
		resp.Entries[i].Key = key
	}
	if len(m.Keys) == 0 || s.hidden(m.MapName, change.KindOR) {
		answer(c, resp)
		return
	}
	g := engine.NewGather(len(m.Keys), func(err error) {
		if err != nil {
			s.unavailable(c, err)
			return
		}
		answer(c, resp)
	})
	for i, key := range m.Keys {
		s.engine.Get(m.MapName, key, func(state string, ok bool, err error) {
			if ok && !s.hidden(m.MapName, change.KindOR) {
				resp.Entries[i] = entry(key, crdt.ORState(state))
			}
			g.Done(err)
		})
	}
}
