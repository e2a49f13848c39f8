package query

import (
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// plan is a query that has been checked and can be run. It is immutable and
// safe for concurrent use.
type plan struct {
	mapName string
	match   *predicate.Program // nil matches every record
	sort    []sortField
	limit   int
	groups  *grouping // nil for a query of rows
	after   *boundary
	fields  []string

	// same is equal for plans that give the same rows in the same order; base is
	// the part of it that a cursor is bound to.
	same, base string
}

type sortField struct {
	path value.Path
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
	if records.Reserved(m.MapName) {
		return nil, &service.Error{Code: wire.CodeReservedMap}
	}
	p := &plan{mapName: strings.Clone(m.MapName), limit: maxRows}
	if len(q.GroupBy) > 0 || len(q.Aggregations) > 0 {
		return groupPlan(p, m, who)
	}
	node, err := parseFilter(q, who)
	if err != nil {
		return nil, err
	}
	if node != nil {
		if p.match, err = predicate.Compile(node, predicate.Env{}); err != nil {
			return nil, invalid(err)
		}
	}
	for _, f := range q.Sort {
		p.sort = append(p.sort, sortField{value.ParsePath(strings.Clone(f.Field)), f.Descending})
	}
	if q.Limit.Set && q.Limit.Value >= 0 && q.Limit.Value <= int64(maxRows) {
		p.limit = int(q.Limit.Value)
	}
	for _, f := range m.Fields {
		p.fields = append(p.fields, strings.Clone(f))
	}
	var id []byte
	if node != nil {
		id = predicate.Canonical(node)
	}
	p.base = string(id) + "|" + p.sortText()
	p.same = fmt.Sprintf("%s|%q|%d", p.base, p.fields, p.limit)
	return p, nil
}

// parseFilter is the query's condition with what it asks of the caller filled
// in, so that callers for whom it comes to the same share it.
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
	return predicate.Bind(node, predicate.Env{Auth: claims(who)}), nil
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
		fmt.Fprintf(&b, "%q%t,", f.path.String(), f.desc)
	}
	return b.String()
}

// row is one record that a plan wants.
type row struct {
	key   string
	state string    // of the record
	value value.Raw // part of state
	sort  []value.Raw
}

// row returns the row of a record, or nil when the plan does not want it.
func (p *plan) row(key, state string, nowMillis int64) *row {
	rec, err := crdt.ParseLWW(state)
	if err != nil || !rec.Visible(nowMillis) || p.match != nil && !p.match.Match(key, rec.Value) {
		return nil
	}
	r := &row{key: key, state: state, value: rec.Value}
	for _, f := range p.sort {
		v, _ := value.Lookup(rec.Value, f.path)
		r.sort = append(r.sort, v)
	}
	if p.after != nil && p.compareTo(r, p.after) <= 0 {
		return nil
	}
	return r
}

// matches reports whether the plan's predicate holds for a state, whatever its
// place in the order.
func (p *plan) matches(key, state string, nowMillis int64) bool {
	if state == "" {
		return false
	}
	rec, err := crdt.ParseLWW(state)
	return err == nil && rec.Visible(nowMillis) && (p.match == nil || p.match.Match(key, rec.Value))
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
