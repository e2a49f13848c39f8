package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// The functions of this file find one thing in a frame without decoding it.

// ReadLastOpID returns the id of the last operation of an OP_BATCH frame, as a
// view of it. It looks at no other operation's fields and decodes no values. ok
// is false if there is no operation or it has no id.
func ReadLastOpID(frame []byte) (id []byte, ok bool) {
	r := newReader(frame)
	if !enter(&r, "payload") || !enter(&r, "ops") {
		return nil, false
	}
	n := r.ArrayHeader()
	if n == 0 {
		return nil, false
	}
	for range n - 1 {
		r.Skip()
	}
	if !enter(&r, "id") {
		return nil, false
	}
	n = len(r.Str())
	if r.Err() != nil {
		return nil, false
	}
	return frame[r.pos-n : r.pos : r.pos], true
}

// enter reads into the map at r up to the value of a field and reports whether
// there is one.
func enter(r *reader, field string) bool {
	for range r.MapHeader() {
		if r.Str() == field {
			return r.Err() == nil
		}
		r.Skip()
	}
	return false
}

// requestFields are the names under which requests carry their id.
var requestFields = [...]string{"requestId", "queryId", "subscriptionId", "id", "opId"}

// RequestID returns the id by which the sender of a frame would recognise an
// answer to it, as a view of the frame, or "". It works on frames that Decode
// refuses, so that the refusal can name the request.
func RequestID(frame []byte) string {
	r := newReader(frame)
	if payload := r; enter(&payload, "payload") && payload.Kind() == value.KindMap {
		r = payload
	}
	for _, field := range requestFields {
		if at := r; enter(&at, field) && at.Kind() == value.KindStr {
			return at.Str()
		}
	}
	return ""
}
