package lane

import (
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// group is what one append made durable together.
type group struct {
	lsn   log.LSN
	tasks int         // how many; they stand in Lane.tasks
	batch *feed.Batch // nil: nothing changed

	// reads are the tasks that only read, and what they have seen of batch.
	reads []sight
}

// sight says that the task at index task saw the first seen changes of its
// group and none of the others.
type sight struct{ task, seen int }

// complete releases the groups that are durable, and fails the others when the
// log has.
func (l *Lane) complete() bool {
	gen := l.log.Generation()
	durable := l.log.DurableAt(l.gen) // final when gen is another one
	n, done := 0, 0
	for n < len(l.groups) && l.groups[n].lsn <= durable {
		g := &l.groups[n]
		l.publish(g, l.tasks[done:done+g.tasks])
		done += g.tasks
		n++
	}
	l.groups, l.tasks = shift(l.groups, n), shift(l.tasks, done)
	if gen == l.gen {
		return n > 0
	}
	l.gen, l.last = gen, durable
	l.failGroups()
	return true
}

// publish offers the changes of a durable group to the feed and releases its
// tasks. A task that reads is released behind the changes that it saw and before
// those that it did not: its answer is a mark in the stream.
func (l *Lane) publish(g *group, tasks []Task) {
	task, seen := 0, 0
	part := func(toTask, toSeen int) {
		if toSeen > seen && !mistake.PublishBeforeSync {
			l.feed.Publish(g.batch, seen, toSeen)
		}
		for _, t := range tasks[task:toTask] {
			t.Release(nil)
		}
		task, seen = toTask, toSeen
	}
	for _, r := range g.reads {
		part(r.task+1, r.seen)
	}
	if g.batch == nil {
		part(len(tasks), 0)
		return
	}
	part(len(tasks), len(g.batch.Records))
	g.batch.Release()
}

// failGroups gives up everything beyond the durable position.
func (l *Lane) failGroups() {
	groups, tasks := l.groups, l.tasks
	l.groups, l.tasks = nil, nil
	for i := range groups {
		if b := groups[i].batch; b != nil {
			l.markBroken(b.Records)
			b.Release()
		}
	}
	if b := l.unwritten.batch; b != nil {
		l.markBroken(b.Records)
		b.Release()
		l.unwritten = group{}
	}
	release(tasks, ErrUnavailable)
	l.failParked(ErrUnavailable)
}

func (l *Lane) markBroken(changes []change.Record) {
	for i := range changes {
		l.broken[changes[i].Pos.Partition] = true
	}
}

// reload loads the broken partitions again and reports whether all are well.
func (l *Lane) reload() error {
	if len(l.broken) == 0 {
		return nil
	}
	var rs []*records.Replica
	for id := range l.replicas {
		if r := l.replicas[id]; r != nil && l.broken[r.ID] {
			r.Drop()
			rs = append(rs, r)
		}
	}
	if err := l.loader.Load(rs); err != nil {
		return fmt.Errorf("%w: load %d partitions again: %w", ErrUnavailable, len(rs), err)
	}
	l.stats.Reloads += uint64(len(rs))
	clear(l.broken)
	return nil
}

// append hands the group's changes to the log.
func (l *Lane) append(g *group) {
	g.lsn = l.last
	if g.batch == nil {
		l.take(g)
		return
	}
	l.stats.Changes += uint64(len(g.batch.Records))
	l.encode(g.batch.Records)
	l.offer(g)
}

// offer appends the changes that are encoded. A log that has no room for them is
// waited for: what it does have is on its way to the disk. When the log refuses
// them, what they were merged into has to be loaded again.
func (l *Lane) offer(g *group) {
	changes := g.batch.Records
	lsn, err := l.log.Append(l.gen, l.payloads...)
	if errors.Is(err, log.ErrFull) {
		l.unwritten = *g
		return
	}
	l.forgetLarge()
	if err != nil {
		l.markBroken(changes)
		g.batch.Release()
		l.failParked(ErrUnavailable)
		first := len(l.tasks) - g.tasks
		failed := l.tasks[first:]
		l.tasks = l.tasks[:first]
		release(failed, fmt.Errorf("%w: %w", ErrUnavailable, err))
		return
	}
	g.lsn, l.last = lsn, lsn
	for i := range changes {
		changes[i].Request = "" // aliases the frame it came in
	}
	l.take(g)
}

// offerAgain offers the group that the log had no room for, and reports whether
// that has come to an end.
func (l *Lane) offerAgain() bool {
	g := l.unwritten
	l.unwritten = group{}
	l.offer(&g)
	return l.unwritten.batch == nil
}

// take puts a group behind those that are on their way to be durable.
func (l *Lane) take(g *group) {
	if mistake.PublishBeforeSync && g.batch != nil {
		l.feed.Publish(g.batch, 0, len(g.batch.Records))
	}
	if mistake.AckBeforeSync {
		first := len(l.tasks) - g.tasks
		release(l.tasks[first:], nil)
		l.tasks, g.tasks, g.reads = l.tasks[:first], 0, nil
	}
	l.groups = append(l.groups, *g)
}

const (
	// frameBytes is about how much of a group is one frame of the log: nearly always
	// all of it, but a few bytes may remove many large records. A frame that is a
	// little larger, and has one large change more, is still one.
	frameBytes = log.MaxFrame / 4

	// keepBytes is the memory that is kept for encoding.
	keepBytes = 8 << 20
)

// encode makes frames of changes.
func (l *Lane) encode(changes []change.Record) {
	l.buf, l.payloads = l.buf[:0], l.payloads[:0]
	for len(changes) > 0 {
		n, weight := 0, 0
		for n < len(changes) && weight < frameBytes {
			weight += weightOf(&changes[n])
			n++
		}
		// Should the memory move, earlier frames stay where they are.
		at := len(l.buf)
		l.buf = change.AppendBatch(l.buf, changes[:n])
		l.payloads = append(l.payloads, l.buf[at:])
		changes = changes[n:]
	}
}

// forgetLarge gives up memory that only a large group has needed.
func (l *Lane) forgetLarge() {
	clear(l.payloads)
	if cap(l.buf) > keepBytes {
		l.buf = nil
	}
}

// weightOf is about what a change takes in the log, and rather more.
func weightOf(c *change.Record) int {
	return len(c.Map) + len(c.Key) + len(c.Tag) + len(c.Before) + len(c.After) + changeBytes
}

// changeBytes is what a change takes besides.
const changeBytes = 128

func release(tasks []Task, err error) {
	for _, t := range tasks {
		t.Release(err)
	}
	clear(tasks)
}

// shift drops the first n elements, reusing the memory.
func shift[T any](s []T, n int) []T {
	if n == 0 {
		return s
	}
	m := copy(s, s[n:])
	clear(s[m:])
	return s[:m]
}
