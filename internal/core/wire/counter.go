package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// CounterRequest asks for a counter's state and subscribes to it.
//
//wire:message COUNTER_REQUEST payload c2s
type CounterRequest struct {
	Name string `wire:"name"`
}

// CounterResponse answers COUNTER_REQUEST.
//
//wire:message COUNTER_RESPONSE payload s2c
type CounterResponse struct {
	Name  string       `wire:"name"`
	State CounterState `wire:"state"`
}

// CounterSync gives the server the client's state and subscribes to the counter.
//
//wire:message COUNTER_SYNC payload c2s
type CounterSync struct {
	Name  string       `wire:"name"`
	State CounterState `wire:"state"`
}

// CounterUpdate gives all subscribers the merged state.
//
//wire:message COUNTER_UPDATE payload s2c
type CounterUpdate struct {
	Name  string       `wire:"name"`
	State CounterState `wire:"state"`
}

// CounterState holds the increments and decrements of each node. It is read
// from {positive, negative} or {p, n}, either of which may lack a part, and
// written as both.
//
//wire:codec {positive, negative, p, n: {node: number}}
type CounterState struct {
	Positive, Negative NumberMap
}

func (s *CounterState) decode(d *decoder) {
	var short CounterState
	for range d.MapHeader() {
		key := d.Str()
		switch key {
		case "positive":
			s.Positive.decodeOptional(d)
		case "negative":
			s.Negative.decodeOptional(d)
		case "p":
			short.Positive.decodeOptional(d)
		case "n":
			short.Negative.decodeOptional(d)
		default:
			d.Skip()
		}
		if d.Err() != nil {
			d.at(key)
			return
		}
	}
	if s.Positive == nil {
		s.Positive = short.Positive
	}
	if s.Negative == nil {
		s.Negative = short.Negative
	}
}

// decodeOptional reads a map or nil, once.
func (m *NumberMap) decodeOptional(d *decoder) {
	switch {
	case d.Nil():
	case *m != nil:
		d.again()
	default:
		m.decode(d)
	}
}

func (s *CounterState) appendTo(dst []byte) []byte {
	dst = value.AppendMap(dst, 4)
	dst = s.Positive.appendTo(value.AppendStr(dst, "positive"))
	dst = s.Negative.appendTo(value.AppendStr(dst, "negative"))
	dst = s.Positive.appendTo(value.AppendStr(dst, "p"))
	return s.Negative.appendTo(value.AppendStr(dst, "n"))
}
