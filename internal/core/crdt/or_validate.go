package crdt

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Validate checks that s is a state and the only encoding of it: every entry is
// whole, tags are in order and never twice, the counts are right, every value is
// one MessagePack value. Its error wraps ErrCorrupt.
func (s ORState) Validate() error {
	if s == "" {
		return nil
	}
	c := cursor{s: string(s)}
	format, live, dead, size := c.byte(), c.uint(), c.uint(), c.uint()
	if format != formatOR || live|dead == 0 || size > uint64(len(s)-c.at) {
		c.fail()
	}
	if !c.bad {
		c.validateRecords(c.at+int(size), live)
	}
	if !c.bad {
		c.validateTombstones(dead)
	}
	if c.bad || s.overlap() {
		return c.corrupt("or")
	}
	return nil
}

// corrupt is the error for a state that could not be read.
func (s ORState) corrupt() error {
	if err := s.Validate(); err != nil {
		return err
	}
	return &CorruptError{Kind: "or"}
}

// validateRecords reads n live records that end at byte end.
func (c *cursor) validateRecords(end int, n uint64) {
	last := ""
	for ; c.at < end && !c.bad; n-- {
		r := c.record()
		if compareTags(last, r.Tag) >= 0 || value.Check(r.Value) != nil {
			c.fail()
		}
		last = r.Tag
	}
	if n != 0 || c.at != end {
		c.fail()
	}
}

// validateTombstones reads n tombstones up to the end.
func (c *cursor) validateTombstones(n uint64) {
	last := ""
	for ; !c.done() && !c.bad; n-- {
		tag, _ := c.tombstone()
		if compareTags(last, tag) >= 0 {
			c.fail()
		}
		last = tag
	}
	if n != 0 {
		c.fail()
	}
}

// overlap reports whether a tag is both live and removed, in a state whose parts
// are in order.
func (s ORState) overlap() bool {
	p, _ := s.split()
	g := graveyard{cursor{s: p.tombstones}, ""}
	for r := range s.Records() {
		if g.has(r.Tag) {
			return true
		}
	}
	return false
}

// graveyard answers whether tags are among encoded tombstones. The tags asked
// for must ascend; answering all of them is one walk.
type graveyard struct {
	c   cursor
	tag string
}

func (g *graveyard) has(tag string) bool {
	for compareTags(g.tag, tag) < 0 && !g.c.bad && !g.c.done() {
		g.tag, _ = g.c.tombstone()
	}
	return g.tag == tag
}
