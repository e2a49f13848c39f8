package document

import (
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Document is what a query sees of a record.
type Document struct {
	There bool
	Value value.Raw // the value of the row
	Full  value.Raw // what attributes are looked up in
	Made  bool      // it was made of the state, which holds more
	TTL   bool      // it depends on the time

	// Until is the last millisecond at which it is as it is, if nothing is
	// written; math.MaxInt64 is for ever.
	Until int64
}

// Always is a time at which nothing has expired.
const Always = math.MinInt64

// Values is the attribute of an observed-remove map that is the live values
// alone, as a list.
const Values = "_values"

// Of reads a state as it is at a time. The document may be a view of the state.
func Of(kind change.Kind, state string, at int64) Document {
	if state == "" {
		return Document{}
	}
	switch kind {
	case change.KindLWW:
		rec, err := crdt.ParseLWW(state)
		if err != nil || rec.Tombstone() {
			return Document{}
		}
		return Document{
			There: rec.Visible(at), Value: rec.Value, Full: rec.Value, TTL: rec.TTL != 0, Until: crdt.End(rec.TS.Millis, rec.TTL),
		}
	case change.KindOR:
		return ofSet(crdt.ORState(state), at)
	case change.KindCounter:
		return ofCounter(crdt.CounterState(state))
	}
	return Document{}
}

func ofSet(state crdt.ORState, at int64) (d Document) {
	d.Until = math.MaxInt64
	live := 0
	var fields, values []byte
	for r := range state.Records() {
		if d.TTL = d.TTL || r.TTL != 0; crdt.Expired(r.TS.Millis, r.TTL, at) {
			continue
		}
		d.Until = min(d.Until, crdt.End(r.TS.Millis, r.TTL))
		v := orNil(r.Value)
		live++
		fields = append(value.AppendStr(fields, r.Tag), v...)
		values = append(values, v...)
	}
	if live == 0 {
		return Document{TTL: d.TTL}
	}
	d.There, d.Made = true, true
	d.Value = append(value.AppendMap(nil, live), fields...)
	d.Full = wholeSet(live, fields, values)
	return d
}

// wholeSet has the values twice: as a list, and by their tags.
func wholeSet(live int, fields, values []byte) value.Raw {
	// A tag of that name would come behind it and so be found.
	b := value.AppendStr(value.AppendMap(nil, live+1), Values)
	b = append(value.AppendArray(b, live), values...)
	return append(b, fields...)
}

// OfValues returns what attributes are looked up in, given the value of the row
// of an observed-remove map: the Full of a Value.
func OfValues(v value.Raw) value.Raw {
	live := 0
	var fields, values []byte
	for tag, one := range value.Fields(v) {
		live++
		fields = append(value.AppendStr(fields, tag), one...)
		values = append(values, one...)
	}
	return wholeSet(live, fields, values)
}

func ofCounter(state crdt.CounterState) Document {
	var positive, negative float64
	for e := range state.Entries() {
		positive += e.Pos
		negative += e.Neg
	}
	b := value.AppendMap(nil, 3)
	b = value.AppendNumber(value.AppendStr(b, "value"), state.Value())
	b = value.AppendNumber(value.AppendStr(b, "positive"), min(positive, math.MaxFloat64))
	b = value.AppendNumber(value.AppendStr(b, "negative"), min(negative, math.MaxFloat64))
	return Document{There: true, Value: b, Full: b, Until: math.MaxInt64}
}

func orNil(v value.Raw) value.Raw {
	if len(v) == 0 {
		return value.AppendNil(nil)
	}
	return v
}
