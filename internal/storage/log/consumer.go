package log

import (
	"cmp"
	"fmt"
	"slices"
)

// Consumer is a reader of the log whose place the log keeps, by name, through
// restarts. What it has not acknowledged is retained, within
// Options.ConsumerBytes; a consumer that falls further behind loses its place.
// Its methods are safe for concurrent use.
type Consumer struct {
	log  *Log
	name string

	// Log.mu guards what follows.
	at      LSN  // acknowledged up to here, or where a copy began
	whole   bool // everything before at is with the consumer
	holding bool // the log beyond at is retained
}

// Consumer returns the consumer of a name of 1 to maxConsumerName bytes,
// registering it if it is new. A new one has no place: see Restart. The error
// matches ErrConsumer.
//
// A registered consumer holds the log whether anybody reads or not, until
// Forget.
func (l *Log) Consumer(name string) (*Consumer, error) {
	if name == "" || len(name) > maxConsumerName {
		return nil, fmt.Errorf("%w: the name has %d bytes, allowed is 1 to %d", ErrConsumer, len(name), maxConsumerName)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.findLocked(name); c != nil {
		return c, nil
	}
	if len(l.consumers) == maxConsumers {
		return nil, fmt.Errorf("%w: %d are registered, no more are allowed; forget one", ErrConsumer, maxConsumers)
	}
	c := &Consumer{log: l, name: name}
	l.consumers = append(l.consumers, c)
	return c, nil
}

func (l *Log) findLocked(name string) *Consumer {
	for _, c := range l.consumers {
		if c.name == name {
			return c
		}
	}
	return nil
}

// Forget removes a consumer, so that it holds no log any longer. It reports
// whether there was one.
func (l *Log) Forget(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.consumers)
	l.consumers = slices.DeleteFunc(l.consumers, func(c *Consumer) bool { return c.name == name })
	return len(l.consumers) < n
}

// Position is up to where the consumer has acknowledged. It is false when the
// consumer has no place, because it is new, has not completed a copy, or has
// lost what it had: then it takes a copy of the state, as Restart says.
func (c *Consumer) Position() (LSN, bool) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return c.at, c.whole
}

// Restart gives a consumer without a place a new one: the durable end of the
// log, which is returned and from which on the log is retained. The consumer
// then takes a copy of the state, which may be newer here and there, keeps it,
// and acknowledges the position. Until that acknowledgement it has no place, so
// that an interrupted copy is begun again.
func (c *Consumer) Restart() LSN {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.at, c.whole, c.holding = c.log.Durable(), false, true
	return c.at
}

// Acknowledge says that the consumer has kept everything up to lsn, so that the
// log before it is not needed by it any longer. It never goes back, nor beyond
// what is durable. After a crash an earlier position may be found: the place is
// written before log is dropped and by Close, not with each call.
func (c *Consumer) Acknowledge(lsn LSN) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if !c.holding {
		return // lost meanwhile: the next read says so
	}
	c.at = max(c.at, min(lsn, c.log.Durable()))
	c.whole = true
}

// Hold says that the consumer has kept the place lsn itself, with everything up
// to it. When it has none here, because the log was not there to write it down
// or has given it up, it gets this one, if the log still reaches back to it.
func (c *Consumer) Hold(lsn LSN) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if !c.holding && lsn >= c.log.segments[0].prevEnd {
		c.at, c.whole, c.holding = min(lsn, c.log.Durable()), true, true
	}
}

// ConsumerState describes a consumer.
type ConsumerState struct {
	Name string
	At   LSN

	// Whole says that everything before At is with the consumer. Otherwise it
	// needs a copy of the state.
	Whole bool

	// LagBytes is the durable log that it has not acknowledged; 0 for one that
	// holds none.
	LagBytes int64
}

// Consumers describes the registered consumers, in order of their names.
func (l *Log) Consumers() []ConsumerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []ConsumerState
	for _, c := range l.consumers {
		s := ConsumerState{Name: c.name, At: c.at, Whole: c.whole}
		if c.holding {
			s.LagBytes = l.bytesLocked(c.at)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b ConsumerState) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// bytesLocked counts the durable frames beyond lsn.
func (l *Log) bytesLocked(lsn LSN) int64 {
	var n int64
	for _, s := range l.segments {
		n += s.bytes(lsn)
	}
	return n
}

// floorLocked is up to where consumers permit dropping log that the store needs
// up to lsn only. Those that hold more than Options.ConsumerBytes before lsn
// lose their place.
func (l *Log) floorLocked(lsn LSN) LSN {
	held := l.bytesLocked(0) - l.bytesLocked(lsn)
	oldest := l.segments[0].prevEnd
	for i := 0; held > l.opt.ConsumerBytes && i+1 < len(l.segments); i++ {
		held -= l.segments[i].bytes(0)
		oldest = min(lsn, l.segments[i+1].prevEnd)
	}
	floor := lsn
	for _, c := range l.consumers {
		if !c.holding {
			continue
		}
		if c.at < oldest {
			c.whole, c.holding = false, false
			l.stats.LostConsumers++
			continue
		}
		floor = min(floor, c.at)
	}
	return floor
}

// hold is what is written of a consumer.
type hold struct {
	name  string
	at    LSN
	whole bool
}

func (l *Log) placesLocked() []hold {
	var out []hold
	for _, c := range l.consumers {
		if c.holding {
			out = append(out, hold{c.name, c.at, c.whole})
		}
	}
	slices.SortFunc(out, func(a, b hold) int { return cmp.Compare(a.name, b.name) })
	return out
}

// keepPlaces writes the places of the consumers if they are not those on disk,
// and returns up to where the places on disk permit dropping log. l.dropping is
// held.
func (l *Log) keepPlaces(lsn LSN) (LSN, error) {
	l.mu.Lock()
	floor := l.floorLocked(lsn)
	places := l.placesLocked()
	l.mu.Unlock()
	if slices.Equal(places, l.kept) {
		return floor, nil
	}
	if err := writePlaces(l.fs, l.dir, l.id, places); err != nil {
		// What is on disk still holds good, and dropping up to there may be what
		// makes room.
		for _, p := range l.kept {
			floor = min(floor, p.at)
		}
		return floor, fmt.Errorf("keep the places of the log's consumers: %w", err)
	}
	l.kept = places
	return floor, nil
}

// adoptPlaces takes over what was written by the run before.
func (l *Log) adoptPlaces(places []hold) {
	l.kept = places
	oldest := l.segments[0].prevEnd
	for _, p := range places {
		known := p.at >= oldest
		l.consumers = append(l.consumers, &Consumer{
			log: l, name: p.name, at: min(p.at, l.Durable()), whole: known && p.whole, holding: known,
		})
	}
}
