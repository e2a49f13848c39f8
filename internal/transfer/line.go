package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// The types of lines.
const (
	typeLWW     = "lww"
	typeOR      = "or"
	typeCounter = "counter"
)

// ErrLine matches every refusal of a line.
var ErrLine = errors.New("transfer: not a line of an export")

// line is one key as JSON.
type line struct {
	Type string `json:"type"`

	Map string `json:"map,omitempty"`
	Key string `json:"key"`

	// LWW. A deleted key has no value.
	Timestamp string          `json:"timestamp,omitempty"`
	TTL       int64           `json:"ttlMs,omitempty"`
	Deleted   bool            `json:"deleted,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`

	// OR: the records that are there, and the tags that were removed.
	Records []orLine `json:"records,omitempty"`
	Removed []string `json:"removed,omitempty"`

	// PN counter: what each node has added and subtracted.
	Added      map[string]float64 `json:"added,omitempty"`
	Subtracted map[string]float64 `json:"subtracted,omitempty"`
}

type orLine struct {
	Tag       string          `json:"tag"`
	Timestamp string          `json:"timestamp"`
	TTL       *int64          `json:"ttlMs,omitempty"`
	Value     json.RawMessage `json:"value"`
}

// AppendLine appends the line of a row, with its line break. It appends nothing
// for the server's own records, and nothing for what was deleted unless deleted
// is set.
func AppendLine(dst []byte, row *backing.Row, deleted bool) ([]byte, error) {
	l := line{Map: row.Map, Key: row.Key.Key}
	state := unsafe.String(unsafe.SliceData(row.State), len(row.State))
	var keep bool
	var err error
	switch change.Kind(row.Kind) {
	case change.KindLWW:
		keep, err = l.lww(state, deleted)
	case change.KindOR:
		keep = l.or(crdt.ORState(state), deleted)
	case change.KindCounter:
		keep = l.counter(crdt.CounterState(state))
	}
	if err != nil || !keep || l.Map != "" && records.Reserved(l.Map) {
		return dst, err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return dst, fmt.Errorf("write %v: %w", row.Key, err)
	}
	return append(append(dst, text...), '\n'), nil
}

func (l *line) lww(state string, deleted bool) (bool, error) {
	r, err := crdt.ParseLWW(state)
	if err != nil {
		return false, err
	}
	l.Type, l.Timestamp, l.TTL = typeLWW, r.TS.String(), r.TTL
	if l.Deleted = r.Tombstone(); l.Deleted {
		return deleted, nil
	}
	l.Value = value.AppendJSON(nil, r.Value)
	return true, nil
}

func (l *line) or(state crdt.ORState, deleted bool) bool {
	l.Type = typeOR
	for r := range state.Records() {
		o := orLine{Tag: r.Tag, Timestamp: r.TS.String(), Value: value.AppendJSON(nil, r.Value)}
		if r.HasTTL {
			o.TTL = &r.TTL
		}
		l.Records = append(l.Records, o)
	}
	if deleted {
		for tag := range state.Tombstones() {
			l.Removed = append(l.Removed, tag)
		}
	}
	return len(l.Records)+len(l.Removed) > 0
}

func (l *line) counter(state crdt.CounterState) bool {
	l.Type, l.Map = typeCounter, ""
	l.Added, l.Subtracted = map[string]float64{}, map[string]float64{}
	for e := range state.Entries() {
		if e.Pos != 0 {
			l.Added[e.Node] = e.Pos
		}
		if e.Neg != 0 {
			l.Subtracted[e.Node] = e.Neg
		}
	}
	return true
}

// parseLine reads one line and checks that it is complete.
func parseLine(text []byte) (line, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("%w: %w", ErrLine, err)
	}
	switch l.Type {
	case typeLWW:
		_, err := hlc.Parse(l.Timestamp)
		switch {
		case l.Map == "":
			return l, fmt.Errorf("%w: it names no map", ErrLine)
		case err != nil:
			return l, fmt.Errorf("%w: timestamp: %w", ErrLine, err)
		case l.Deleted == (len(l.Value) > 0):
			return l, fmt.Errorf("%w: it needs either a value or deleted", ErrLine)
		}
	case typeOR:
		if l.Map == "" {
			return l, fmt.Errorf("%w: it names no map", ErrLine)
		}
		for _, r := range l.Records {
			if _, err := hlc.Parse(r.Timestamp); err != nil || r.Tag == "" {
				return l, fmt.Errorf("%w: a record needs a tag and a timestamp", ErrLine)
			}
		}
	case typeCounter:
	default:
		return l, fmt.Errorf("%w: type %q, allowed are lww, or and counter", ErrLine, l.Type)
	}
	return l, nil
}
