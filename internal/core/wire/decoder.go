package wire

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// decoder reads the fields of one message. Its methods are called by generated
// code; like that of the reader below it, the first failure sticks.
type decoder struct {
	reader
	lim  Limits
	path string // to the failure, built from the inside while returning
	node string // the last nodeId that was found valid
}

// reject makes a refusal of the field being read the decoder's failure.
func (d *decoder) reject(code Code, err error, reason string) {
	d.Fail(&fault{code: code, err: err, reason: reason})
}

func (d *decoder) invalid(reason string) { d.reject(CodeInvalidField, ErrInvalid, reason) }

// again refuses a field that came twice: a second list would be a second
// allocation for the same bytes of limit.
func (d *decoder) again() { d.invalid("given twice") }

// at puts a field in front of the path to the failure. It clones the name,
// which may be a view of the frame.
func (d *decoder) at(field string) {
	switch {
	case d.path == "":
		d.path = strings.Clone(field)
	case d.path[0] == '[':
		d.path = field + d.path
	default:
		d.path = field + "." + d.path
	}
}

// atIndex puts the index of a list element in front of the path.
func (d *decoder) atIndex(i int) { d.at(fmt.Sprintf("[%d]", i)) }

// missing refuses an object for want of a required field.
func (d *decoder) missing(field string) {
	d.invalid("missing")
	d.at(field)
}

// payload goes to the payload of a frame and reports whether it is there, with
// the number of fields that follow it in the frame. If it is missing and not
// optional, that is a failure.
func (d *decoder) payload(optional bool) (behind int, ok bool) {
	for n := d.MapHeader(); n > 0; n-- {
		if d.Str() == "payload" {
			return n - 1, !optional || !d.Nil()
		}
		d.Skip()
	}
	if !optional {
		d.missing("payload")
	}
	return 0, false
}

// finish reads the fields that follow the payload. Nothing may follow the frame.
func (d *decoder) finish(fields int) {
	for range 2 * fields {
		d.Skip()
	}
	if d.left() > 0 {
		d.Fail(value.ErrTrailing)
	}
}

// take removes the failure and returns it. The reader goes back to where it was
// at pos, in front of a value, and skips that value; bytes that are no value at
// all fail again and so fail the frame.
func (d *decoder) take(pos int) *DecodeError {
	e := decodeError(0, d.path, d.Err())
	d.path = ""
	d.back(pos)
	d.Skip()
	return e
}

// tolerate takes the failure of a field, and keeps it in place if it is the
// first of the object.
func (d *decoder) tolerate(place **DecodeError, pos int, field string) {
	d.at(field)
	if e := d.take(pos); *place == nil {
		*place = e
	}
}

// refuse takes the failure of an object as a whole, which ends at pos.
func (d *decoder) refuse(place **DecodeError, pos int) {
	e := decodeError(0, d.path, d.Err())
	d.path = ""
	d.back(pos)
	if *place == nil {
		*place = e
	}
}

// str reads a string of at most limit bytes of UTF-8.
func (d *decoder) str(limit int) string {
	s := d.Str()
	if len(s) > limit {
		d.tooLong(len(s), limit)
		return ""
	}
	if !utf8.ValidString(s) {
		d.invalid("not UTF-8")
		return ""
	}
	return s
}

func (d *decoder) tooLong(n, limit int) {
	d.reject(CodeTooLarge, ErrTooLarge, fmt.Sprintf("%d bytes, the limit is %d", n, limit))
}

// int reads an integer that is not negative.
func (d *decoder) int() int64 {
	v := d.Int()
	if v < 0 {
		d.invalid("negative")
		return 0
	}
	return v
}

// hash reads an unsigned 32-bit integer.
func (d *decoder) hash() uint32 {
	v := d.Int()
	if v < 0 || v > math.MaxUint32 {
		d.invalid("not an unsigned 32-bit integer")
		return 0
	}
	return uint32(v)
}

// number reads a finite number.
func (d *decoder) number() float64 {
	v := d.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.invalid("not a finite number")
		return 0
	}
	return v
}

// mapRaw reads a map without looking into it.
func (d *decoder) mapRaw() value.Raw {
	if k := d.Kind(); k != value.KindMap && d.Err() == nil {
		d.invalid("want map, got " + k.String())
	}
	return d.Raw()
}

// list reads the header of a list of at most limit elements, each of which
// takes at least size bytes, so that a declared length cannot make us allocate
// more than the bytes that follow could fill.
func (d *decoder) list(limit, size int) int {
	n := d.ArrayHeader()
	if n > limit {
		d.reject(CodeTooLarge, ErrTooLarge, fmt.Sprintf("%d elements, the limit is %d; send several smaller messages", n, limit))
		return 0
	}
	if n*size > d.left() {
		d.invalid("elements are incomplete")
		return 0
	}
	return n
}

// object reads the header of a map whose keys are data, with at most limit
// entries.
func (d *decoder) object(limit int) int {
	n := d.MapHeader()
	if n > limit {
		d.reject(CodeTooLarge, ErrTooLarge, fmt.Sprintf("%d entries, the limit is %d", n, limit))
		return 0
	}
	return n
}

// texts reads a list of strings of at most limit bytes each.
func (d *decoder) texts(limit int) []string {
	n := d.list(d.lim.Items, 1)
	if d.Err() != nil {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = d.str(limit)
		if d.Err() != nil {
			d.atIndex(i)
			return nil
		}
	}
	return out
}

// raws reads a list of values of any kind.
func (d *decoder) raws() []value.Raw {
	n := d.list(d.lim.Items, 1)
	if d.Err() != nil {
		return nil
	}
	out := make([]value.Raw, n)
	for i := range out {
		out[i] = d.Raw()
	}
	return out
}

// Bounds of a timestamp's parts.
const (
	maxMillis    = 1 << 53 // what JavaScript peers hold exactly
	maxNodeBytes = 256
)

// timestamp reads {millis, counter, nodeId}, all three required.
func (d *decoder) timestamp() hlc.Timestamp {
	var t hlc.Timestamp
	var counter int64
	var seen uint8
	for range d.MapHeader() {
		switch d.Str() {
		case "millis":
			t.Millis = d.Int()
			seen |= 1
		case "counter":
			counter = d.Int()
			seen |= 2
		case "nodeId":
			t.Node = d.nodeID()
			seen |= 4
		default:
			d.Skip()
		}
		if d.Err() != nil {
			return hlc.Timestamp{}
		}
	}
	t.Counter = uint32(counter)
	switch {
	case d.Err() != nil:
	case seen != 7:
		d.badTime("needs millis, counter and nodeId")
	case t.Millis < 0 || t.Millis > maxMillis:
		d.badTime("millis out of range")
	case counter < 0 || counter > math.MaxUint32:
		d.badTime("counter out of range")
	}
	return t
}

// nodeID reads the nodeId of a timestamp. Most timestamps of a frame have the
// same one, which is looked at once.
func (d *decoder) nodeID() string {
	s := d.Str()
	if s == d.node {
		return d.node
	}
	switch {
	case len(s) > maxNodeBytes:
		d.tooLong(len(s), maxNodeBytes)
	case !utf8.ValidString(s):
		d.badTime("nodeId is not UTF-8")
	case strings.IndexByte(s, ':') >= 0:
		d.badTime("nodeId contains a colon")
	default:
		d.node = s
	}
	return s
}

func (d *decoder) badTime(reason string) { d.reject(CodeInvalidTimestamp, ErrInvalid, reason) }

// sized returns n zero elements, in the memory of s when that suffices.
func sized[T any](s []T, n int) []T {
	if s == nil || n > cap(s) {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
