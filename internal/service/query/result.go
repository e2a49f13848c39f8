package query

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/mistake"
)

// result is what a plan gives over a set of records, kept up with their changes.
type result struct {
	plan   *plan
	window *window
	groups *group.Set // nil without groups
	total  int64      // records or groups that match, if the plan asks for it

	// counted is the time at which a record that may expire counts in groups and
	// total. It does not move, so that a record is taken out if and only if it
	// was put in; records that have expired go with the change that removes them.
	counted int64
	ttl     bool // it depends on the time

	whole bool // the window shows the groups
}

func newResult(p *plan, fills int, now int64) *result {
	r := &result{plan: p, window: newWindow(p, fills), counted: now}
	if p.groups != nil {
		r.groups = group.NewSet(p.groups)
	}
	return r
}

// counts reports whether the result is more than rows that it holds.
func (r *result) counts() bool { return r.groups != nil || r.plan.total }

// admit adds a record for which the condition holds.
func (r *result) admit(key, state string, doc *document.Document) {
	r.ttl = r.ttl || doc.TTL
	r.total++
	if r.groups != nil {
		r.groups.Put(key, doc.Full, +1)
		return
	}
	if next := r.plan.row(key, state, doc); next != nil {
		r.window.set(key, next, nil)
	}
}

// complete shows the groups of all records that were admitted.
func (r *result) complete() {
	if r.whole = true; r.groups == nil {
		return
	}
	for gr := range r.groups.All() {
		if next := r.plan.rowOfGroup(r.groups, gr); next != nil {
			r.window.rows = append(r.window.rows, next)
			r.window.name(next)
		}
	}
	r.window.sort()
}

// rows is how many rows match, if the plan asks for it.
func (r *result) rows() int64 {
	switch {
	case mistake.QueryCountsShown:
		return int64(len(r.window.shown()))
	case r.groups != nil:
		return int64(r.groups.Len())
	}
	return r.total
}

// take takes one change and appends what it changes in the rows shown.
func (r *result) take(c *changed, ups []update) []update {
	if r.counts() {
		before, had := c.at(r.plan, c.before, c.was, r.counted)
		after, has := c.at(r.plan, c.after, c.is, r.counted)
		r.total += one(has) - one(had)
		if r.groups != nil {
			return r.regroup(c.key, before, had, after, has, ups)
		}
	}
	r.ttl = r.ttl || c.after.doc.TTL
	return r.window.set(c.key, c.row(r.plan), ups)
}

// regroup moves a record from one group to another.
func (r *result) regroup(key string, before document.Document, had bool, after document.Document, has bool, ups []update) []update {
	r.ttl = r.ttl || after.TTL
	var from, to *group.Group
	if had && !mistake.QueryGroupsOnlyGrow {
		from = r.groups.Put(key, before.Full, -1)
	}
	if has {
		to = r.groups.Put(key, after.Full, +1)
	}
	if !r.whole {
		return ups
	}
	if from != nil && (to == nil || from.Key != to.Key) {
		ups = r.window.set(from.Key, r.plan.rowOfGroup(r.groups, from), ups)
	}
	if to != nil {
		ups = r.window.set(to.Key, r.plan.rowOfGroup(r.groups, to), ups)
	}
	return ups
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// changed is one change of a record, as the standing queries look at it.
type changed struct {
	kind   change.Kind
	key    string
	hash   uint32
	now    int64
	before version
	after  version

	// was and is say whether the condition that is looked at holds for the
	// record before and after, expired or not.
	was, is bool
}

// version is the record before or after a change.
type version struct {
	state string
	doc   document.Document // at no time: nothing has expired
}

// load takes over a change.
func (c *changed) load(r *change.Record, now int64) {
	c.kind, c.key, c.hash, c.now = r.Kind, r.Key, r.KeyHash, now
	c.before.state, c.after.state = r.Before, r.After
	if r.Kind == change.KindOR {
		c.before.state, c.after.state = r.WholeBefore, r.Whole
	}
	c.before.doc = document.Of(c.kind, c.before.state, document.Always)
	c.after.doc = document.Of(c.kind, c.after.state, document.Always)
}

// vague reports whether documents may look different at another time, so that
// conditions have to be tried for each time that matters.
func (c *changed) vague() bool {
	return c.kind == change.KindOR && (c.before.doc.TTL || c.after.doc.TTL)
}

// at is a version as it was at a time, and whether the condition, which holds
// for it or not at no time, holds then.
func (c *changed) at(p *plan, v version, holds bool, at int64) (document.Document, bool) {
	if !v.doc.TTL {
		return v.doc, holds
	}
	doc := document.Of(c.kind, v.state, at)
	if c.kind != change.KindOR {
		return doc, holds && doc.There
	}
	return doc, doc.There && p.match.Match(c.key, doc.Full)
}

// row is the row that a plan has of the record after the change, nil for none.
func (c *changed) row(p *plan) *row {
	doc, is := c.at(p, c.after, c.is, c.now)
	if !is {
		return nil
	}
	return p.row(c.key, c.after.state, &doc)
}

// scan is a result on its way: a pass over the map fills it, or a seek.
type scan struct {
	pass   *pass
	seek   *seek
	result *result
}

// take takes one change into it, as far as that has been read.
func (s *scan) take(e *engine.Engine, c *changed) {
	switch {
	case s.seek != nil:
		s.seek.take(e, c, s.result)
	case s.passed(e, c.hash, c.key):
		s.result.take(c, nil)
	}
}

// passed reports whether the pass has seen the key.
func (s *scan) passed(e *engine.Engine, keyHash uint32, key string) bool {
	return s.pass.places[e.Lane(keyHash)].Covers(keyHash, key)
}
