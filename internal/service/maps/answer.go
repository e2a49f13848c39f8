package maps

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// answer builds the frames that a finished batch is answered with: the records
// that were re-stamped, a rejection for each refused operation, and the
// acknowledgement that covers them all.
func (j *job) answer() []service.Frame {
	frames := j.frames
	var applied, unchanged, refused int
	for i, at := range j.place {
		if at < 0 {
			refused++
			continue
		}
		switch r := &j.Results[at]; {
		case r.Err != nil:
			refused++
			j.refused = append(j.refused, refusal{i, r.Err})
		case r.Status == records.Applied:
			applied++
		default:
			unchanged++
		}
		if r := &j.Results[at]; r.Restamped {
			frames = append(frames, echo(&j.Ops[at], r)...)
		}
	}
	m := j.service.metrics
	m.applied.Add(float64(applied))
	m.unchanged.Add(float64(unchanged))
	m.refused.Add(float64(refused))
	for _, r := range j.refused {
		frames = append(frames, rejection(j.ids[r.at], r.err)...)
	}
	if id := j.lastID(); id != "" {
		frames = append(frames, service.Frame{Head: wire.AppendOpAck(make([]byte, 0, 96), id, j.level, j.results())})
	}
	j.frames = frames
	return frames
}

// lastID is the id that the acknowledgement repeats. Operations without an id
// cannot be acknowledged.
func (j *job) lastID() string {
	for _, id := range slices.Backward(j.ids) {
		if id != "" {
			return id
		}
	}
	return ""
}

// results lists the outcomes when somebody wants to know: when a write concern
// was asked for, or when something was refused.
func (j *job) results() []wire.OpResult {
	if !j.verbose && len(j.refused) == 0 {
		return nil
	}
	why := make(map[int]error, len(j.refused)) // ids may be the same, or missing
	for _, r := range j.refused {
		why[r.at] = r.err
	}
	var out []wire.OpResult
	short := j.short
	for i, id := range j.ids {
		at := j.place[i]
		failed := at < 0 || j.Results[at].Err != nil
		switch {
		case failed:
			out = append(out, wire.OpResult{OpID: id, AchievedLevel: wire.FireAndForget, Error: why[i].Error()})
		case len(short) > 0 && short[0].at == i:
			code := service.CodeOf(short[0].err)
			out = append(out, wire.OpResult{OpID: id, AchievedLevel: j.level, Error: reason(code, short[0].err)})
		case j.verbose:
			out = append(out, wire.OpResult{OpID: id, Success: true, AchievedLevel: j.level})
		}
		if len(short) > 0 && short[0].at == i {
			short = short[1:]
		}
	}
	return out
}

// rejection is OP_REJECTED, and behind it the ERROR that older tools look for
// when access was denied.
func rejection(id string, err error) []service.Frame {
	code := service.CodeOf(err)
	frames := []service.Frame{{Head: wire.Append(nil, &wire.OpRejected{
		OpID: id, Reason: reason(code, err), Code: int64(code.Number()),
	})}}
	if code == wire.CodeForbidden {
		e := &service.Error{Code: code, Text: err.Error(), Type: wire.TypeOpBatch, Request: id}
		frames = append(frames, service.Frame{Head: wire.Append(nil, e.Message())})
	}
	return frames
}

// reason leads with the code's name, which programs can look for.
func reason(code wire.Code, err error) string {
	return code.Name() + ": " + err.Error()
}

// echo tells a writer what its re-stamped record was stored as. A client adopts
// an older record only when it holds the same value (protocol 01 §3.2), so it is
// told its own record first, and then the one that has replaced it meanwhile.
func echo(op *records.Op, r *records.Result) []service.Frame {
	frames := []service.Frame{event(op, crdt.LWW{Value: op.Value, TS: r.Stamp, TTL: op.TTL})}
	if now, err := crdt.ParseLWW(r.Stored); err == nil && now.TS != r.Stamp {
		frames = append(frames, event(op, now))
	}
	return frames
}

func event(op *records.Op, r crdt.LWW) service.Frame {
	e := &wire.ServerEvent{Event: wire.Event{MapName: op.Map, EventType: wire.EventPut, Key: op.Key}}
	if r.Tombstone() {
		e.EventType = wire.EventRemove
	}
	e.Record = wire.Some(wire.LWWRecord{Value: r.Value, Timestamp: r.TS, TTL: r.TTL})
	return service.Frame{Head: wire.Append(nil, e)}
}
