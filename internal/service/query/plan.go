package query

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Limits of a query beside those of its condition.
const (
	maxSortFields = 16
	maxFields     = 256
)

// plan is a query that has been checked and can be run. It is immutable and
// safe for concurrent use.
//
// What it does not say is where its rows come from: that is a pass over the map
// (pass.go), which serves every query of the map that wants one. A source that
// finds fewer candidates, or finds them in the order of sort, takes the place of
// the pass for a plan: it has to answer through the inbox, in slices that say
// which keys they have passed, and rows that do not belong are sorted out again
// by row.
type plan struct {
	mapName string
	node    *predicate.Node // nil holds for every record
	match   *predicate.Program
	sort    []sortField
	limit   int
	groups  *group.Grouping // nil for a query of records
	after   *boundary
	fields  []string
	total   bool

	// condition is equal for plans whose conditions are the same, same for those
	// that give the same rows.
	condition, same string

	identity int64  // of map, condition and order: what cursors are bound to
	mark     uint32 // of map and same: what positions are bound to
}

type sortField struct {
	document.Attribute
	desc bool
}

// boundary is a place in the order of a plan; rows up to it are left out.
type boundary struct {
	keys []value.Raw
	key  string
}

// newPlan checks a QUERY_SUB. The cursor is applied by the caller.
func newPlan(m *wire.QuerySub, who policy.Principal, maxRows int) (*plan, error) {
	q := &m.Query
	if records.Reserved(m.MapName) && m.MapName != records.CounterMap {
		return nil, &service.Error{Code: wire.CodeReservedMap}
	}
	if err := checkSizes(m); err != nil {
		return nil, err
	}
	p := &plan{mapName: strings.Clone(m.MapName), limit: maxRows, total: q.TotalCount}
	var err error
	if p.node, err = parseFilter(q, who); err != nil {
		return nil, err
	}
	if p.match, err = predicate.Compile(p.node, predicate.Env{}); err != nil {
		return nil, invalid(err)
	}
	for _, f := range q.Sort {
		p.sort = append(p.sort, sortField{document.NewAttribute(strings.Clone(f.Field)), f.Descending})
	}
	if q.Limit.Set && q.Limit.Value <= int64(maxRows) {
		p.limit = int(q.Limit.Value)
	}
	for _, f := range m.Fields {
		p.fields = append(p.fields, strings.Clone(f))
	}
	if p.groups, err = group.NewGrouping(q); err != nil {
		return nil, invalid(err)
	}
	if p.node != nil {
		p.condition = string(predicate.Canonical(p.node))
	}
	base := p.condition + "|" + p.sortText() + p.groups.Text()
	h := fnv.New64a()
	h.Write([]byte(p.mapName))
	h.Write([]byte{0})
	h.Write([]byte(base))
	p.identity = int64(h.Sum64())
	p.bind(fmt.Sprintf("%s|%q|%d|%t", base, p.fields, p.limit, p.total))
	p.condition = p.same[:len(p.condition)] // one text in memory
	return p, nil
}

// bind names the plan.
func (p *plan) bind(same string) {
	h := fnv.New32a()
	h.Write([]byte(p.mapName))
	h.Write([]byte{0})
	h.Write([]byte(same))
	p.same, p.mark = same, h.Sum32()
}

// checkSizes refuses what would cost too much for each row.
func checkSizes(m *wire.QuerySub) error {
	q := &m.Query
	for _, list := range []struct {
		name      string
		has, most int
	}{
		{"sort", len(q.Sort), maxSortFields},
		{"fields", len(m.Fields), maxFields},
	} {
		if list.has > list.most {
			return invalid(fmt.Errorf("%s[%d]: at most %d are possible", list.name, list.most, list.most))
		}
	}
	return nil
}

// parseFilter is the query's condition with what it asks of the caller filled
// in, so that callers for whom it comes to the same share it; nil if it always
// holds.
func parseFilter(q *wire.Query, who policy.Principal) (*predicate.Node, error) {
	var node *predicate.Node
	var err error
	switch {
	case len(q.Predicate) > 0:
		node, err = predicate.Parse(q.Predicate)
	case len(q.Where) > 0:
		node, err = predicate.ParseWhere(q.Where)
	}
	switch {
	case err != nil:
		return nil, invalid(err)
	case node == nil:
		return nil, nil
	}
	if node = predicate.Bind(node, predicate.Env{Auth: claims(who)}); node.Op == predicate.OpAnd && len(node.Children) == 0 {
		return nil, nil
	}
	return node, nil
}

// claims are what a condition may ask of a caller: auth.id and auth.roles.
func claims(who policy.Principal) value.Raw {
	b := value.AppendStr(value.AppendMap(nil, 2), "id")
	b = value.AppendStr(b, who.ID)
	b = value.AppendArray(value.AppendStr(b, "roles"), len(who.Roles))
	for _, role := range who.Roles {
		b = value.AppendStr(b, role)
	}
	return b
}

func invalid(err error) error {
	return &service.Error{Code: wire.CodeInvalidQuery, Text: err.Error()}
}

// sortText names the order of the plan.
func (p *plan) sortText() string {
	var b strings.Builder
	for _, f := range p.sort {
		fmt.Fprintf(&b, "%q%t,", f.Name, f.desc)
	}
	return b.String()
}

// row is a record, or a group of them, that a plan wants.
type row struct {
	key   string
	state string // what it was made of; rows of one state are the same
	value value.Raw
	sort  []value.Raw
	made  bool // value was made of state, which holds more
	ttl   bool
}

// row returns the row of a record for which the condition holds, nil where the
// plan begins behind it.
func (p *plan) row(key, state string, doc *document.Document) *row {
	r := &row{key: key, state: state, value: doc.Value, made: doc.Made, ttl: doc.TTL}
	if len(p.fields) > 0 {
		r.value = doc.Full
	}
	return p.place(r, doc.Full)
}

// place gives a row its place in the order.
func (p *plan) place(r *row, doc value.Raw) *row {
	if len(p.sort) > 0 {
		r.sort = make([]value.Raw, len(p.sort))
		for i, f := range p.sort {
			r.sort[i] = f.Of(r.key, doc)
		}
	}
	if p.after != nil && p.compareTo(r, p.after) <= 0 {
		return nil
	}
	return r
}

// wants returns the row of a state as it is at a time, nil if there is none.
func (p *plan) wants(kind change.Kind, key, state string, at int64) *row {
	doc := document.Of(kind, state, at)
	if !doc.There || !p.match.Match(key, doc.Full) {
		return nil
	}
	return p.row(key, state, &doc)
}

// rowOfGroup returns the row of a group, nil for an empty one or one that the
// plan leaves out.
func (p *plan) rowOfGroup(set *group.Set, gr *group.Group) *row {
	if gr.Count == 0 {
		return nil
	}
	v := set.Value(gr)
	return p.place(&row{key: gr.Key, state: string(v), value: v, made: true}, v)
}

// compare is the order of the result: by the sort fields, then by key.
func (p *plan) compare(a, b *row) int {
	return p.compareTo(a, &boundary{b.sort, b.key})
}

func (p *plan) compareTo(a *row, b *boundary) int {
	for i, f := range p.sort {
		c := value.Compare(a.sort[i], b.keys[i])
		if c == 0 {
			continue
		}
		if f.desc {
			return -c
		}
		return c
	}
	return strings.Compare(a.key, b.key)
}

// project is what a client is sent of a row's value.
func (p *plan) project(v value.Raw) value.Raw {
	if len(p.fields) == 0 {
		return v
	}
	return value.Project(v, p.fields)
}

// alike reports whether the change from one row to the other is none to a client:
// what a row is made of has changed and the row has not. A record that was
// written again with the value that it had is a change.
func (r *row) alike(next *row) bool {
	return r.made && next.made && bytes.Equal(r.value, next.value)
}
