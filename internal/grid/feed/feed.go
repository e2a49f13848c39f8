// Package feed carries the durable changes of a node to those who follow them.
//
// A lane publishes the changes of each group after their append is durable, in
// the order of the log. Every follower has an Inbox of its own. A lane never
// waits for a follower: an inbox that is full is emptied and its follower told
// that it has a gap, and what the follower does about it (scan again, close its
// subscribers) is its own business.
//
// Answers to a follower's own reads come through its inbox too, in the place
// where the read happened: every change before such a mark is contained in the
// answer, no change behind it is. That is what lets a follower join a scan and a
// stream without a gap or a repeat.
//
// Invariants kept here: FEED-ORDER, FEED-BOUNDED.
package feed

import (
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
)

// Item is one thing in an inbox: changes, a mark, or a gap.
type Item struct {
	// Changes are consecutive changes of one lane. They are shared with other
	// followers and never modified.
	Changes []change.Record

	// Mark is what the follower had asked a lane to put here.
	Mark any

	// Gap says that everything since the last item taken was lost, changes and
	// marks alike.
	Gap bool
}

// Feed connects the lanes of a node with the followers. Followers join before
// the first change is published.
type Feed struct {
	inboxes []*Inbox
}

// Follow adds a follower whose inbox holds at most limit changes and marks and
// rings bell when it turns non-empty.
func (f *Feed) Follow(limit int, bell actor.Bell) *Inbox {
	in := &Inbox{bell: bell, limit: limit}
	f.inboxes = append(f.inboxes, in)
	return in
}

// Publish offers the changes to every follower. changes must not be modified
// afterwards.
func (f *Feed) Publish(changes []change.Record) {
	for _, in := range f.inboxes {
		in.offer(Item{Changes: changes}, len(changes))
	}
}

// Inbox is the queue of one follower.
type Inbox struct {
	bell  actor.Bell
	limit int

	// taken is what the last Take returned; the follower's alone.
	taken []Item

	mu    sync.Mutex
	items []Item
	size  int
	gaps  uint64
}

// Mark puts v behind everything published so far. It is called on the lane that
// the mark speaks of.
func (in *Inbox) Mark(v any) { in.offer(Item{Mark: v}, 1) }

func (in *Inbox) offer(it Item, size int) {
	in.mu.Lock()
	if in.size+size > in.limit && in.size > 0 {
		clear(in.items)
		in.items = append(in.items[:0], Item{Gap: true})
		in.size = 0
		in.gaps++
	}
	in.items = append(in.items, it)
	in.size += size
	in.mu.Unlock()
	in.bell.Ring()
}

// Take returns everything in the inbox, in order. The slice is valid until the
// next Take.
func (in *Inbox) Take() []Item {
	clear(in.taken)
	in.mu.Lock()
	in.items, in.taken = in.taken[:0], in.items
	in.size = 0
	in.mu.Unlock()
	return in.taken
}

// Depth reports how many changes and marks wait, and how often the inbox has
// overflowed.
func (in *Inbox) Depth() (size int, gaps uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.size, in.gaps
}
