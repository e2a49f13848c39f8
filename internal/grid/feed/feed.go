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
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
)

// Batch is the changes of one group of a lane. Its memory is used again when the
// lane and all followers are done with it.
type Batch struct {
	Records []change.Record

	refs atomic.Int32
}

// maxPooled is the largest batch whose memory is kept.
const maxPooled = 4096

var batches sync.Pool

// NewBatch returns an empty batch that belongs to the caller until Release.
func NewBatch() *Batch {
	b, ok := batches.Get().(*Batch)
	if !ok {
		b = new(Batch)
	}
	b.refs.Store(1)
	return b
}

// Release gives up one hold on the batch.
func (b *Batch) Release() {
	if b.refs.Add(-1) != 0 || cap(b.Records) > maxPooled {
		return
	}
	clear(b.Records)
	b.Records = b.Records[:0]
	batches.Put(b)
}

// Item is one thing in an inbox: changes, a mark, or a gap.
type Item struct {
	// Changes are consecutive changes of one lane. They are shared with other
	// followers, never modified, and valid until the next Take; the strings in
	// them may be kept.
	Changes []change.Record
	batch   *Batch

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

// Publish offers the records from to to of a batch to every follower. They must
// not be modified afterwards.
func (f *Feed) Publish(b *Batch, from, to int) {
	for _, in := range f.inboxes {
		b.refs.Add(1)
		in.offer(Item{Changes: b.Records[from:to:to], batch: b}, to-from)
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
		release(in.items)
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
	release(in.taken)
	in.mu.Lock()
	in.items, in.taken = in.taken[:0], in.items
	in.size = 0
	in.mu.Unlock()
	return in.taken
}

// release forgets items.
func release(items []Item) {
	for i := range items {
		if b := items[i].batch; b != nil {
			b.Release()
		}
	}
	clear(items)
}

// Depth reports how many changes and marks wait, and how often the inbox has
// overflowed.
func (in *Inbox) Depth() (size int, gaps uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.size, in.gaps
}
