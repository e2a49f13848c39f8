package predicate

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Program is a compiled condition. It is immutable and safe for concurrent use.
type Program struct {
	root test
	uses uses
}

// uses says which inputs have to be prepared for a Program.
type uses struct {
	key, now bool
}

// Input is all that a condition can look at. Only what it refers to is read.
type Input struct {
	Key  string    // the key of the record
	Data value.Raw // the document; nil where there is none
	Old  value.Raw // the document before the change; nil where there was none
	Auth value.Raw // the claims of the caller, if Compile did not know them
	Now  int64     // milliseconds since 1970
}

// Match reports whether the condition holds for a record. References to old and
// now find nothing and 0; see Eval. A document that is not a valid value counts
// as one without fields.
//
// Match does not allocate for comparisons with scalars, like, in, between,
// contains and the affixes on fields of the document. It allocates a little
// where `_key` is asked for, where containers are compared with each other,
// where contains, containsAll and containsAny take their right side from a
// reference, and now and then in a regex.
func (p *Program) Match(key string, doc value.Raw) bool {
	return p.Eval(Input{Key: key, Data: doc})
}

// Eval is Match with everything that a condition can refer to.
func (p *Program) Eval(in Input) bool {
	s := state{data: in.Data, old: in.Old, auth: in.Auth}
	if p.uses.key {
		s.key = value.AppendStr(nil, in.Key)
	}
	if p.uses.now {
		s.now = value.AppendInt(nil, in.Now)
	}
	return p.root.match(&s)
}

// state is an Input with everything encoded.
type state struct {
	data, old, auth, key, now value.Raw
}

// get returns what an operand stands for, nil if it finds nothing.
func (s *state) get(o *operand) value.Raw {
	switch o.source {
	case sourceLiteral:
		return o.literal
	case sourceKey:
		return s.key
	case sourceNow:
		return s.now
	case sourceOld:
		return lookup(s.old, o.path)
	case sourceAuth:
		return lookup(s.auth, o.path)
	}
	return lookup(s.data, o.path)
}

func lookup(doc value.Raw, path value.Path) value.Raw {
	v, _ := value.Lookup(doc, path)
	return v
}

// test is one compiled operator.
type test struct {
	op    Op // 0 never holds
	left  operand
	right operand
	kids  []test
	tools *tools
}

// match evaluates the operator and what lies below it.
func (t *test) match(s *state) bool {
	switch t.op {
	case 0:
		return false
	case OpAnd:
		for i := range t.kids {
			if !t.kids[i].match(s) {
				return false
			}
		}
		return true
	case OpOr:
		for i := range t.kids {
			if t.kids[i].match(s) {
				return true
			}
		}
		return false
	case OpNot:
		return !t.kids[0].match(s)
	}
	left := s.get(&t.left)
	switch {
	case t.op == OpIsNull:
		return absent(left)
	case absent(left):
		return false
	case t.op == OpIsNotNull:
		return true
	case !t.right.reference():
		return t.tools.holds(t.op, left, t.right.literal)
	}
	right := s.get(&t.right)
	if !usable(t.op, right) {
		return false
	}
	tools := makeTools(t.op, right)
	return tools.holds(t.op, left, right)
}
