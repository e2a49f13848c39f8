package feed_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
)

// batch makes a batch of the changes from..to-1, by their position.
func batch(from, to int) *feed.Batch {
	b := feed.NewBatch()
	for n := from; n < to; n++ {
		b.Records = append(b.Records, change.Record{Pos: change.Position{Seq: uint64(n)}, Key: fmt.Sprint(n)})
	}
	return b
}

// follower is a reader and what it should see.
type follower struct {
	inbox *feed.Inbox
	bell  actor.Bell
	limit int

	want []string // since the last look
	size int
	gaps uint64
}

func (f *follower) offer(words []string, size int) {
	if f.size+size > f.limit && f.size > 0 {
		f.want, f.size = []string{"gap"}, 0
		f.gaps++
	}
	f.want = append(f.want, words...)
	f.size += size
}

// look takes what is there, in words.
func (f *follower) look() (words []string) {
	for _, it := range f.inbox.Take() {
		switch {
		case it.Gap:
			words = append(words, "gap")
		case it.Mark != nil:
			words = append(words, fmt.Sprint("mark ", it.Mark))
		default:
			for _, c := range it.Changes {
				if c.Key != fmt.Sprint(c.Pos.Seq) {
					words = append(words, "spoilt "+c.Key)
					continue
				}
				words = append(words, c.Key)
			}
		}
	}
	return words
}

// TestFollowersSeeTheStream is FEED-ORDER and FEED-BOUNDED: followers of
// different limits that look at any time see all changes and marks in order,
// each once, or a gap in the place of everything that they had not taken; what
// they hold is bounded.
func TestFollowersSeeTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fd := &feed.Feed{}
		var followers []*follower
		for _, limit := range []int{1, 4, 10, 1 << 20} {
			f := &follower{bell: actor.NewBell(), limit: limit}
			f.inbox = fd.Follow(limit, f.bell)
			followers = append(followers, f)
		}
		next, marks := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				n := rapid.IntRange(1, 6).Draw(t, "changes")
				b := batch(next, next+n)
				cut := rapid.IntRange(0, n).Draw(t, "cut")
				for _, part := range [][2]int{{0, cut}, {cut, n}} {
					if part[0] == part[1] {
						continue
					}
					var words []string
					for i := part[0]; i < part[1]; i++ {
						words = append(words, fmt.Sprint(next+i))
					}
					fd.Publish(b, part[0], part[1])
					for _, f := range followers {
						f.offer(words, len(words))
					}
				}
				b.Release()
				next += n
			},
			"mark": func(t *rapid.T) {
				marks++
				f := rapid.SampledFrom(followers).Draw(t, "whose")
				f.inbox.Mark(marks)
				f.offer([]string{fmt.Sprint("mark ", marks)}, 1)
			},
			"look": func(t *rapid.T) {
				f := rapid.SampledFrom(followers).Draw(t, "who")
				select {
				case <-f.bell:
				default:
					if len(f.want) > 0 {
						t.Fatalf("%d things wait and nobody was woken", len(f.want))
					}
				}
				if got := f.look(); !slices.Equal(got, f.want) {
					t.Fatalf("with room for %d: sees %v, want %v", f.limit, got, f.want)
				}
				f.want, f.size = nil, 0
			},
			"": func(t *rapid.T) {
				for _, f := range followers {
					size, gaps := f.inbox.Depth()
					if size != f.size || gaps != f.gaps {
						t.Fatalf("with room for %d: holds %d and %d gaps, want %d and %d", f.limit, size, gaps, f.size, f.gaps)
					}
					// One batch always fits, whatever its size.
					if size > max(f.limit, 6) {
						t.Fatalf("with room for %d: holds %d", f.limit, size)
					}
				}
			},
		})
	})
}

// TestABatchIsKeptWhileSomebodyReadsIt: the memory of a batch is used again only
// when every follower has taken what came after it.
func TestABatchIsKeptWhileSomebodyReadsIt(t *testing.T) {
	fd := &feed.Feed{}
	slow, quick := fd.Follow(100, actor.NewBell()), fd.Follow(100, actor.NewBell())
	b := batch(1, 4)
	fd.Publish(b, 0, 3)
	b.Release()
	items := quick.Take()
	quick.Take() // done with it
	for range 100 {
		other := batch(50, 53)
		other.Release()
	}
	for i, c := range slow.Take()[0].Changes {
		if c.Key != fmt.Sprint(i+1) {
			t.Errorf("change %d reads %q", i+1, c.Key)
		}
	}
	if items[:1][0].Changes != nil {
		t.Error("an item that is done with still refers to its changes")
	}
}

// TestAFollowerThatNeverReads is FEED-BOUNDED at length: it costs no more memory
// than its limit, and nobody waits for it.
func TestAFollowerThatNeverReads(t *testing.T) {
	fd := &feed.Feed{}
	lazy, busy := fd.Follow(10, actor.NewBell()), fd.Follow(1<<20, actor.NewBell())
	seen := 0
	for n := range 10_000 {
		b := batch(n, n+1)
		fd.Publish(b, 0, 1)
		b.Release()
		for _, it := range busy.Take() {
			seen += len(it.Changes)
		}
	}
	if size, gaps := lazy.Depth(); size > 10 || gaps == 0 {
		t.Errorf("%d changes wait, %d gaps", size, gaps)
	}
	if seen != 10_000 {
		t.Errorf("the other one has seen %d", seen)
	}
	if items := lazy.Take(); !items[0].Gap || len(items) > 12 {
		t.Errorf("%d items, the first one %+v", len(items), items[0])
	}
}

// TestLanesPublishConcurrently: the changes of each lane stay in order although
// others publish at the same time.
func TestLanesPublishConcurrently(t *testing.T) {
	const lanes, each = 4, 1000
	fd := &feed.Feed{}
	bell := actor.NewBell()
	in := fd.Follow(1<<20, bell)
	var all sync.WaitGroup
	for l := range lanes {
		all.Go(func() {
			for n := range each {
				b := feed.NewBatch()
				b.Records = append(b.Records, change.Record{Pos: change.Position{Epoch: uint32(l), Seq: uint64(n)}})
				fd.Publish(b, 0, 1)
				b.Release()
			}
		})
	}
	var next [lanes]uint64
	for got := 0; got < lanes*each; {
		<-bell
		for _, it := range in.Take() {
			for _, c := range it.Changes {
				if c.Pos.Seq != next[c.Pos.Epoch] {
					t.Fatalf("lane %d: %d comes after %d", c.Pos.Epoch, c.Pos.Seq, next[c.Pos.Epoch]-1)
				}
				next[c.Pos.Epoch]++
				got++
			}
		}
	}
	all.Wait()
}
