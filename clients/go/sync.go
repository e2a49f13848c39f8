package topgun

import (
	"context"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// syncable is a map that can be compared with the server's.
type syncable interface {
	common() *replica
	initMessage() wire.Message
	bucketMessage(path string) wire.Message
}

// syncState is how far the comparison of a map with the server's has come: the
// client asks for the root; while it differs, it walks down to the leaves that
// differ, merges them, and asks again.
type syncState struct {
	phase    syncPhase
	again    bool                // wanted once more, when this round has ended
	open     map[string]struct{} // paths without an answer
	rounds   int                 // in a row without agreement
	retryAt  time.Time           // of the next round; zero for none
	progress time.Time           // when something was last heard
	lastSync int64               // see caughtUp
	anew     bool                // the replica was emptied on this connection
	epoch    int64               // the server's history, 0 while it is not known
	started  int                 // rounds ever
	waits    []*syncWait
}

type syncPhase int

const (
	syncQuiet syncPhase = iota
	syncAsked
	syncWalking
)

// syncWait is somebody who waits for an agreement of round or a later one.
type syncWait struct {
	round int
	done  chan struct{}
	err   error // final when done is closed
}

const (
	// eagerRounds follow each other at once; afterwards replica and server differ
	// because others write, or for long.
	eagerRounds = 3
	firstRetry  = 20 * time.Millisecond
	mostRetry   = 5 * time.Second
	// answerWithin is how long an answer may take before the round is begun anew.
	answerWithin = 15 * time.Second
)

// reset prepares for a new connection.
func (s *syncState) reset() {
	s.phase, s.again, s.rounds, s.retryAt, s.anew = syncQuiet, false, 0, time.Time{}, false
	s.open = map[string]struct{}{}
}

func (s *syncState) abandon(err error) {
	for _, w := range s.waits {
		w.err = err
		close(w.done)
	}
	s.waits = nil
}

// startSync begins a round, or asks for one after the present one. Without a
// connection it does nothing: the next one begins with it. mu is held.
func (c *Client) startSync(r syncable) {
	s := &r.common().sync
	if c.link == nil {
		return
	}
	if s.phase != syncQuiet {
		s.again = true
		return
	}
	s.phase, s.retryAt, s.progress = syncAsked, time.Time{}, c.opt.clock.Now()
	s.started++
	c.send(r.initMessage())
}

// resync compares a map again, if it is open. mu is held.
func (c *Client) resync(name string) {
	if r := c.lww[name]; r != nil {
		c.startSync(r)
	}
	if r := c.or[name]; r != nil {
		c.startSync(r)
	}
}

// syncRoot takes the server's root. mu is held.
func (c *Client) syncRoot(r syncable, root uint32, t hlc.Timestamp, full bool) {
	s := &r.common().sync
	c.saw(t)
	if s.phase != syncAsked {
		if s.phase == syncQuiet && root != r.common().tree.Root() {
			c.startSync(r) // the server has sent its root unasked
		}
		return
	}
	s.progress = c.opt.clock.Now()
	r.common().caughtUp(root, t)
	if root != r.common().tree.Root() || full {
		s.phase = syncWalking
		c.askBucket(r, "")
		return
	}
	s.phase, s.rounds = syncQuiet, 0
	waits := s.waits
	s.waits = nil
	for _, w := range waits {
		if w.round > s.started {
			s.waits = append(s.waits, w)
			continue
		}
		close(w.done)
	}
	if s.again {
		s.again = false
		c.startSync(r)
	}
}

// caughtUp notes the time of a root that is the replica's own, in milliseconds:
// from then on nothing was missed. The server tells a replica to begin anew when
// deletions from before that time are forgotten. So a root that is another one
// counts only when the replica holds nothing yet.
func (r *replica) caughtUp(root uint32, t hlc.Timestamp) {
	if mine := r.tree.Root(); root == mine || r.sync.lastSync == 0 && mine == 0 {
		r.sync.lastSync = t.Millis
	}
}

func (c *Client) askBucket(r syncable, path string) {
	r.common().sync.open[path] = struct{}{}
	c.send(r.bucketMessage(path))
}

// answered notes that a path was answered, and reports whether it was asked for.
func (c *Client) answered(r syncable, path string) bool {
	s := &r.common().sync
	if _, ok := s.open[path]; !ok {
		return false
	}
	delete(s.open, path)
	s.progress = c.opt.clock.Now()
	return true
}

// syncBuckets takes the hashes of a node's children and asks for those that
// differ. Digits that only the replica has go to mine. mu is held.
func (c *Client) syncBuckets(r syncable, path string, theirs *wire.Buckets, mine func(path string)) {
	if !c.answered(r, path) {
		return
	}
	ours := map[int]uint32{}
	for _, child := range r.common().tree.Children(path) {
		ours[digitOf(child.Digit)] = child.Hash
	}
	for digit, h := range theirs.All() {
		if ours[digit] != h {
			c.askBucket(r, path+hexDigits[digit:digit+1])
		}
	}
	for digit, h := range ours {
		if _, listed := theirs.Get(digit); !listed && h != 0 {
			mine(path + hexDigits[digit:digit+1])
		}
	}
	c.endWalk(r)
}

const hexDigits = "0123456789abcdef"

func digitOf(c byte) int {
	if c >= 'a' {
		return int(c-'a') + 10
	}
	return int(c - '0')
}

// endWalk begins the next round when everything is answered: at once, unless it
// seems that agreement takes longer.
func (c *Client) endWalk(r syncable) {
	s := &r.common().sync
	if s.phase != syncWalking || len(s.open) > 0 {
		return
	}
	s.phase, s.again = syncQuiet, false
	s.rounds++
	if s.rounds <= eagerRounds {
		c.startSync(r)
		return
	}
	wait := min(firstRetry<<min(s.rounds-eagerRounds-1, 16), mostRetry)
	s.retryAt = c.opt.clock.Now().Add(wait)
	ring(c.alarm)
}

// tickSync does what is due for a map, and returns when the next thing is.
func (c *Client) tickSync(r syncable, now time.Time) time.Duration {
	s := &r.common().sync
	if s.phase != syncQuiet && now.Sub(s.progress) >= answerWithin {
		s.phase = syncQuiet
		clear(s.open)
		c.startSync(r)
	}
	switch {
	case s.phase != syncQuiet:
		return s.progress.Add(answerWithin).Sub(now)
	case s.retryAt.IsZero():
		return tickUnset
	case now.Before(s.retryAt):
		return s.retryAt.Sub(now)
	}
	c.startSync(r)
	return answerWithin
}

// awaitSync waits for an agreement that begins after the call.
func (c *Client) awaitSync(ctx context.Context, r syncable) error {
	s := &r.common().sync
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	w := &syncWait{round: s.started + 1, done: make(chan struct{})}
	s.waits = append(s.waits, w)
	c.startSync(r)
	c.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range s.waits {
		if s.waits[i] == w {
			s.waits = append(s.waits[:i:i], s.waits[i+1:]...)
			break
		}
	}
	return context.Cause(ctx)
}

// initMessage implements syncable.
func (r *lwwReplica) initMessage() wire.Message {
	last := r.sync.lastSync
	if last == 0 && !r.sync.anew && r.tree.Root() != 0 {
		last = 1 // it holds records and has never heard what became of them
	}
	return &wire.SyncInit{MapName: r.name, LastSyncTimestamp: last}
}

// bucketMessage implements syncable.
func (r *lwwReplica) bucketMessage(path string) wire.Message {
	return &wire.MerkleReqBucket{MapName: r.name, Path: path}
}

// initMessage implements syncable.
func (r *orReplica) initMessage() wire.Message {
	m := &wire.ORMapSyncInit{MapName: r.name, RootHash: r.tree.Root(), LastSyncTimestamp: r.sync.lastSync, ClaimedEpoch: r.claimed}
	for _, child := range r.tree.Children("") {
		m.BucketHashes.Set(digitOf(child.Digit), child.Hash)
	}
	return m
}

// bucketMessage implements syncable.
func (r *orReplica) bucketMessage(path string) wire.Message {
	return &wire.ORMapMerkleReqBucket{MapName: r.name, Path: path}
}

// leaves are the keys of an OR map by the leaf of the tree that they belong to.
type leaves map[uint16]map[string]struct{}

func (l leaves) add(leaf uint16, key string) {
	if l[leaf] == nil {
		l[leaf] = map[string]struct{}{}
	}
	l[leaf][key] = struct{}{}
}

func (l leaves) drop(leaf uint16, key string) {
	delete(l[leaf], key)
	if len(l[leaf]) == 0 {
		delete(l, leaf)
	}
}

// below returns the keys below a path.
func (l leaves) below(path string) []string {
	first, last, ok := merkle.Range(path)
	if !ok {
		return nil
	}
	var keys []string
	for leaf := int(first); leaf <= int(last); leaf++ {
		for key := range l[uint16(leaf)] {
			keys = append(keys, key)
		}
	}
	return keys
}
