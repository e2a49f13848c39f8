package predicate

// Op is an operator.
type Op uint8

// The operators. The zero Op is none.
const (
	OpAnd Op = iota + 1
	OpOr
	OpNot
	OpEq
	OpNeq
	OpGt
	OpGte
	OpLt
	OpLte
	OpLike
	OpRegex
	OpIn
	OpBetween
	OpIsNull
	OpIsNotNull
	OpContains
	OpContainsAll
	OpContainsAny
	OpStartsWith
	OpEndsWith
)

// opNames are the operators as they are written on the wire.
var opNames = [...]string{
	OpAnd: "and", OpOr: "or", OpNot: "not",
	OpEq: "eq", OpNeq: "neq", OpGt: "gt", OpGte: "gte", OpLt: "lt", OpLte: "lte",
	OpLike: "like", OpRegex: "regex", OpIn: "in", OpBetween: "between",
	OpIsNull: "isNull", OpIsNotNull: "isNotNull",
	OpContains: "contains", OpContainsAll: "containsAll", OpContainsAny: "containsAny",
	OpStartsWith: "startsWith", OpEndsWith: "endsWith",
}

var opsByName = func() map[string]Op {
	m := make(map[string]Op, len(opNames))
	for op, name := range opNames {
		if name != "" {
			m[name] = Op(op)
		}
	}
	return m
}()

// whereOps are the operators of `where` maps.
var whereOps = map[string]Op{
	"$eq": OpEq, "$ne": OpNeq, "$gt": OpGt, "$gte": OpGte, "$lt": OpLt, "$lte": OpLte, "$in": OpIn,
}

// String returns the operator as it is written on the wire.
func (op Op) String() string {
	if int(op) < len(opNames) {
		return opNames[op]
	}
	return ""
}

// valid reports whether op is one of the constants.
func (op Op) valid() bool { return op.String() != "" }

// logical reports whether the operator has children rather than an attribute.
func (op Op) logical() bool { return op == OpAnd || op == OpOr || op == OpNot }

// unary reports whether the operator looks at an attribute alone.
func (op Op) unary() bool { return op == OpIsNull || op == OpIsNotNull }
