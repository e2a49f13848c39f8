package query

import (
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// document is what a query sees of a record.
type document struct {
	there bool
	value value.Raw // the value of the row
	full  value.Raw // what paths are looked up in
	made  bool      // it was made of the state, which holds more
	ttl   bool      // it depends on the time
}

// always is a time at which nothing has expired.
const always = math.MinInt64

// setValues is the field of the documents of an observed-remove map that holds
// the live values alone.
const setValues = "_values"

// documentOf reads a state as it is at a time.
func documentOf(kind change.Kind, state string, at int64) document {
	if state == "" {
		return document{}
	}
	switch kind {
	case change.KindLWW:
		rec, err := crdt.ParseLWW(state)
		if err != nil || rec.Tombstone() {
			return document{}
		}
		return document{there: rec.Visible(at), value: rec.Value, full: rec.Value, ttl: rec.TTL != 0}
	case change.KindOR:
		return setDocument(crdt.ORState(state), at)
	case change.KindCounter:
		return counterDocument(crdt.CounterState(state))
	}
	return document{}
}

func setDocument(state crdt.ORState, at int64) (d document) {
	live := 0
	var fields, values []byte
	for r := range state.Records() {
		if d.ttl = d.ttl || r.TTL != 0; crdt.Expired(r.TS.Millis, r.TTL, at) {
			continue
		}
		v := orNil(r.Value)
		live++
		fields = append(value.AppendStr(fields, r.Tag), v...)
		values = append(values, v...)
	}
	if live == 0 {
		return document{ttl: d.ttl}
	}
	d.there, d.made = true, true
	d.value = append(value.AppendMap(nil, live), fields...)
	// A tag of that name would come behind it and so be found.
	d.full = value.AppendStr(value.AppendMap(nil, live+1), setValues)
	d.full = append(value.AppendArray(d.full, live), values...)
	d.full = append(d.full, fields...)
	return d
}

func counterDocument(state crdt.CounterState) document {
	var positive, negative float64
	for e := range state.Entries() {
		positive += e.Pos
		negative += e.Neg
	}
	b := value.AppendMap(nil, 3)
	b = value.AppendNumber(value.AppendStr(b, "value"), state.Value())
	b = value.AppendNumber(value.AppendStr(b, "positive"), min(positive, math.MaxFloat64))
	b = value.AppendNumber(value.AppendStr(b, "negative"), min(negative, math.MaxFloat64))
	return document{there: true, value: b, full: b}
}

func orNil(v value.Raw) value.Raw {
	if len(v) == 0 {
		return value.AppendNil(nil)
	}
	return v
}

// attribute is a path that is looked up in documents, or the key.
type attribute struct {
	name string
	path value.Path
}

func newAttribute(name string) attribute { return attribute{name, value.ParsePath(name)} }

// of returns what the attribute is for a record, nil if it is missing.
func (a attribute) of(key string, doc value.Raw) value.Raw {
	if a.name == predicate.KeyAttribute {
		return value.AppendStr(nil, key)
	}
	v, _ := value.Lookup(doc, a.path)
	return v
}
