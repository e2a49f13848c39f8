package transfer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// ops are the operations that bring a line in; a counter has none.
func (l *line) ops() ([]wire.ClientOp, error) {
	switch l.Type {
	case typeLWW:
		return l.lwwOps()
	case typeOR:
		return l.orOps()
	default:
		return nil, nil
	}
}

func (l *line) lwwOps() ([]wire.ClientOp, error) {
	ts, err := hlc.Parse(l.Timestamp)
	if err != nil {
		return nil, err
	}
	op := wire.ClientOp{MapName: l.Map, Key: *l.Key, OpType: "REMOVE"}
	rec := wire.LWWRecord{Timestamp: ts, TTL: l.TTL}
	if !l.Deleted {
		op.OpType = "PUT"
		if rec.Value, err = value.FromJSON(nil, l.Value); err != nil {
			return nil, fmt.Errorf("%w: value: %w", ErrLine, err)
		}
	}
	op.Record = wire.Given(rec)
	return []wire.ClientOp{op}, nil
}

func (l *line) orOps() ([]wire.ClientOp, error) {
	var ops []wire.ClientOp
	for _, r := range l.Records {
		ts, err := hlc.Parse(r.Timestamp)
		if err != nil {
			return nil, err
		}
		rec := wire.ORRecord{Timestamp: ts, Tag: r.Tag}
		if rec.Value, err = value.FromJSON(nil, r.Value); err != nil {
			return nil, fmt.Errorf("%w: value: %w", ErrLine, err)
		}
		if r.TTL != nil {
			rec.TTL = wire.Some(*r.TTL)
		}
		ops = append(ops, wire.ClientOp{MapName: l.Map, Key: *l.Key, OpType: "OR_ADD", ORRecord: wire.Some(rec)})
	}
	for _, tag := range l.Removed {
		ops = append(ops, wire.ClientOp{MapName: l.Map, Key: *l.Key, OpType: "OR_REMOVE", ORTag: wire.Some(tag)})
	}
	return ops, nil
}

// counterSync is the message that brings a counter in.
func (l *line) counterSync() *wire.CounterSync {
	return &wire.CounterSync{Name: *l.Key, State: wire.CounterState{Positive: numbers(l.Added), Negative: numbers(l.Subtracted)}}
}

func numbers(m map[string]float64) wire.NumberMap {
	out := wire.NumberMap{}
	for _, node := range slices.Sorted(maps.Keys(m)) {
		out = append(out, wire.NumberEntry{Name: node, Value: m[node]})
	}
	return out
}
