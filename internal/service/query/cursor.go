package query

import (
	"encoding/base64"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// cursorLife is how long a cursor can be used.
const cursorLife = 10 * time.Minute

// cursorStatus says what became of a query's cursor.
type cursorStatus uint8

const (
	cursorNone cursorStatus = iota
	cursorValid
	cursorExpired
	cursorInvalid
)

func (c cursorStatus) wire() wire.CursorStatus {
	switch c {
	case cursorValid:
		return wire.CursorValid
	case cursorExpired:
		return wire.CursorExpired
	case cursorInvalid:
		return wire.CursorInvalid
	}
	return wire.CursorNone
}

// A cursor is the MessagePack array [version, time, identity of the query, key,
// sort values...] in unpadded base64url. It is opaque to clients.
const cursorVersion = 1

// writeCursor makes the cursor that continues after r.
func (p *plan) writeCursor(r *row, now time.Time) string {
	b := value.AppendArray(nil, 4+len(r.sort))
	b = value.AppendInt(b, cursorVersion)
	b = value.AppendInt(b, now.UnixMilli())
	b = value.AppendInt(b, p.identity)
	b = value.AppendStr(b, r.key)
	for _, v := range r.sort {
		if len(v) == 0 {
			b = value.AppendNil(b)
			continue
		}
		b = append(b, v...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor reads a cursor of this query.
func (p *plan) readCursor(s string, now time.Time) (*boundary, cursorStatus) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || value.Check(b) != nil {
		return nil, cursorInvalid
	}
	r := value.NewReader(b)
	n := r.ArrayHeader()
	version, at, identity := r.Int(), r.Int(), r.Int()
	out := &boundary{key: r.Str()}
	for range p.sort {
		v := r.Raw()
		if v.Kind() == value.KindNil {
			v = nil
		}
		out.keys = append(out.keys, v)
	}
	switch {
	case r.Err() != nil || version != cursorVersion || n != 4+len(p.sort):
		return nil, cursorInvalid
	case now.Sub(time.UnixMilli(at)) > cursorLife:
		return nil, cursorExpired
	case identity != p.identity:
		return nil, cursorInvalid
	}
	return out, cursorValid
}
