package wire

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations.
const (
	OpPut      OpKind = iota + 1 // write a value to an LWW map
	OpRemove                     // write a tombstone to an LWW map
	OpORAdd                      // add a record to an OR map
	OpORRemove                   // remove a tag from an OR map
)

// String is the name of the kind on the wire.
func (k OpKind) String() string {
	switch k {
	case OpPut:
		return "PUT"
	case OpRemove:
		return "REMOVE"
	case OpORAdd:
		return "OR_ADD"
	case OpORRemove:
		return "OR_REMOVE"
	}
	return "unknown"
}

// Kind classifies the operation by its type and, since old clients do not send
// one, by the fields that it carries. OR operations are recognised first.
func (op *ClientOp) Kind() OpKind {
	switch {
	case op.OpType == "OR_ADD" || op.ORRecord.Set:
		return OpORAdd
	case op.OpType == "OR_REMOVE" || op.ORTag.Set:
		return OpORRemove
	case op.OpType == "REMOVE" || op.Record.State == Nil:
		return OpRemove
	case op.Record.State == Present && op.Record.Value.Tombstone():
		return OpRemove
	}
	return OpPut
}

// check refuses an operation that lacks what its kind needs. A removal without
// a record is complete: the server gives it a timestamp.
func (op *ClientOp) check(d *decoder) {
	if op.Invalid != nil {
		return
	}
	var field string
	switch kind := op.Kind(); {
	case op.MapName == "":
		field = "mapName"
	case kind == OpORAdd && !op.ORRecord.Set:
		field = "orRecord"
	case kind == OpORRemove && !op.ORTag.Set:
		field = "orTag"
	case kind == OpPut && op.Record.State != Present:
		field = "record"
	default:
		return
	}
	d.missing(field)
}

// check gives the batch's own problem to every operation.
func (m *OpBatch) check(*decoder) {
	if m.Invalid == nil {
		return
	}
	for i := range m.Ops {
		if m.Ops[i].Invalid == nil {
			m.Ops[i].Invalid = m.Invalid
		}
	}
}
