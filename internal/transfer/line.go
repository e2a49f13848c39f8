package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
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

	Map string  `json:"map,omitempty"`
	Key *string `json:"key"` // may be empty, but not absent

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
	l := line{Map: row.Map, Key: &row.Key.Key}
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

// parseLine reads one line and checks that it is complete and says nothing that
// would not be brought in.
func parseLine(text []byte) (line, error) {
	var l line
	if err := l.read(text); err != nil {
		return l, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if err := l.check(); err != nil {
		return l, fmt.Errorf("%w: %w", ErrLine, err)
	}
	return l, nil
}

func (l *line) read(text []byte) error {
	if !utf8.Valid(text) || halved(text) { // the decoder would put something else in its place
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// halved reports whether an escape of a JSON text is half a character: a surrogate
// without the other one.
func halved(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return false
		}
		text = text[at:]
		first, size := escaped(text)
		text = text[min(size, len(text)):]
		if utf16.IsSurrogate(first) {
			second, size := escaped(text)
			if utf16.DecodeRune(first, second) == utf8.RuneError {
				return true
			}
			text = text[size:]
		}
	}
}

// escaped is the character of a \u escape that a text begins with, or 0, and the
// length of whatever escape it is.
func escaped(text []byte) (char rune, size int) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, 2
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0, 2 // which the decoder refuses
	}
	return rune(n), 6
}

func (l *line) check() error {
	switch l.Type {
	case typeLWW, typeOR, typeCounter:
	default:
		return fmt.Errorf("type %q, allowed are lww, or and counter", l.Type)
	}
	lww := l.Timestamp != "" || l.TTL != 0 || l.Deleted || l.Value != nil
	or := l.Records != nil || l.Removed != nil
	counter := l.Added != nil || l.Subtracted != nil
	switch {
	case l.Key == nil:
		return errors.New("it names no key")
	case (l.Map == "") != (l.Type == typeCounter):
		return errors.New("it needs a map, and a counter has none")
	case lww && l.Type != typeLWW, or && l.Type != typeOR, counter && l.Type != typeCounter:
		return fmt.Errorf("it has a field that is not one of type %s", l.Type)
	}
	switch l.Type {
	case typeLWW:
		return l.checkLWW()
	case typeOR:
		return l.checkOR()
	default:
		return errors.Join(checkCounts(l.Added), checkCounts(l.Subtracted))
	}
}

func (l *line) checkLWW() error {
	_, err := hlc.Parse(l.Timestamp)
	switch {
	case err != nil:
		return fmt.Errorf("timestamp: %w", err)
	case string(l.Value) == "null": // which means deleted to the server
		return errors.New("the value null cannot be kept; deleted removes the key")
	case l.Deleted == (len(l.Value) > 0):
		return errors.New("it needs either a value or deleted")
	}
	return nil
}

func (l *line) checkOR() error {
	for _, r := range l.Records {
		if _, err := hlc.Parse(r.Timestamp); err != nil || r.Tag == "" {
			return errors.New("a record needs a tag and a timestamp")
		}
	}
	return nil
}

func checkCounts(counts map[string]float64) error {
	for node, n := range counts {
		if n < 0 {
			return fmt.Errorf("count %v of node %q: not a total", n, node)
		}
	}
	return nil
}
