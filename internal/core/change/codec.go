package change

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// ErrCorrupt is returned for bytes that are not a batch of records.
var ErrCorrupt = errors.New("change: corrupt batch")

// batchVersion is the first byte of every batch; docs/format/change.md.
const batchVersion = 1

// The flags of an encoded record. A field whose flag is clear is not there.
const (
	hasAuthor   = 1 << 0 // clear: same author as the record before
	hasMap      = 1 << 1 // clear: same tenant, map and kind as the record before
	hasTag      = 1 << 2
	hasBefore   = 1 << 3
	hasOriginal = 1 << 4
	hasRequest  = 1 << 5
	hasArrival  = 1 << 6 // clear: same arrival as the record before
	hasDelta    = 1 << 7 // before is written behind after, as its difference to it
)

// AppendBatch appends the encoding of records to dst. Records of one batch
// usually share author, map and arrival, so each is written only when it
// differs from the record before it.
func AppendBatch(dst []byte, records []Record) []byte {
	dst = append(dst, batchVersion)
	dst = binary.AppendUvarint(dst, uint64(len(records)))
	var prev *Record
	for i := range records {
		r := &records[i]
		dst = appendRecord(dst, r, prev)
		prev = r
	}
	return dst
}

func appendRecord(dst []byte, r, prev *Record) []byte {
	var flags byte
	if prev == nil || r.Author != prev.Author {
		flags |= hasAuthor
	}
	if prev == nil || r.Map != prev.Map || r.Kind != prev.Kind || r.Tenant != prev.Tenant {
		flags |= hasMap
	}
	if prev == nil || r.Arrival != prev.Arrival {
		flags |= hasArrival
	}
	if r.Tag != "" {
		flags |= hasTag
	}
	if r.Before != "" {
		flags |= hasBefore
	}
	if !r.Original.IsZero() {
		flags |= hasOriginal
	}
	if r.Request != "" {
		flags |= hasRequest
	}
	at := len(dst)
	dst = append(dst, flags, byte(r.Verb))
	dst = binary.AppendUvarint(dst, uint64(r.Pos.Partition))
	dst = binary.AppendUvarint(dst, uint64(r.Pos.Epoch))
	dst = binary.AppendUvarint(dst, r.Pos.Seq)
	if flags&hasAuthor != 0 {
		dst = append(dst, byte(r.Author.Origin))
		dst = appendString(dst, r.Author.Principal)
		dst = appendString(dst, r.Author.Device)
	}
	if flags&hasMap != 0 {
		dst = binary.AppendUvarint(dst, uint64(r.Tenant))
		dst = append(dst, byte(r.Kind))
		dst = appendString(dst, r.Map)
	}
	if flags&hasArrival != 0 {
		dst = appendTimestamp(dst, r.Arrival)
	}
	dst = appendString(dst, r.Key)
	if flags&hasTag != 0 {
		dst = appendString(dst, r.Tag)
	}
	if flags&hasOriginal != 0 {
		dst = appendTimestamp(dst, r.Original)
	}
	if flags&hasRequest != 0 {
		dst = appendString(dst, r.Request)
	}
	if flags&hasBefore == 0 {
		return appendString(dst, r.After)
	}
	plain := len(dst)
	dst = appendString(dst, r.After)
	if short, ok := appendDelta(dst, r.Before, r.After); ok {
		short[at] = flags&^hasBefore | hasDelta
		return short
	}
	return appendString(appendString(dst[:plain], r.Before), r.After)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendTimestamp(dst []byte, t hlc.Timestamp) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.Millis))
	dst = binary.AppendUvarint(dst, uint64(t.Counter))
	return appendString(dst, t.Node)
}

// ReadBatch calls fn for each record of an encoded batch, in order. The
// record's strings are copies; the record itself is reused and valid only
// during the call. It stops at the first error of fn and returns it; damaged
// bytes give an error matching ErrCorrupt.
func ReadBatch(b []byte, fn func(*Record) error) error {
	d := decoder{b: b}
	if v := d.byte(); v != batchVersion && d.err == nil {
		return fmt.Errorf("%w: version %d, this build reads %d", ErrCorrupt, v, batchVersion)
	}
	n := d.uvarint()
	// A record takes at least six bytes, so a count beyond that is a lie.
	if d.err == nil && n > uint64(len(d.b))/6 {
		return fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, n, len(d.b))
	}
	var r Record
	for i := range n {
		d.record(&r, i == 0)
		if d.err != nil {
			return d.err
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
	if d.err == nil && len(d.b) != 0 {
		d.err = fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(d.b))
	}
	return d.err
}

// decoder reads the fields of a batch; the first error sticks.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) record(r *Record, first bool) {
	flags := d.byte()
	if first && flags&(hasAuthor|hasMap|hasArrival) != hasAuthor|hasMap|hasArrival {
		d.fail("first record refers to one before it")
	}
	r.Verb = Verb(d.byte())
	r.Pos.Partition = partition.ID(d.max(partition.Count-1, "partition"))
	r.Pos.Epoch = uint32(d.max(1<<32-1, "epoch"))
	r.Pos.Seq = d.uvarint()
	if flags&hasAuthor != 0 {
		r.Author = &Author{Origin: Origin(d.byte()), Principal: d.string(), Device: d.string()}
	}
	if flags&hasMap != 0 {
		r.Tenant = uint32(d.max(1<<32-1, "tenant"))
		r.Kind = Kind(d.byte())
		r.Map = d.string()
	}
	if flags&hasArrival != 0 {
		r.Arrival = d.timestamp()
	}
	r.Key = d.string()
	r.KeyHash = hash.Key(r.Key)
	r.Tag, r.Original, r.Request, r.Before = "", hlc.Timestamp{}, "", ""
	if flags&hasTag != 0 {
		r.Tag = d.string()
	}
	if flags&hasOriginal != 0 {
		r.Original = d.timestamp()
	}
	if flags&hasRequest != 0 {
		r.Request = d.string()
	}
	if flags&hasBefore != 0 {
		r.Before = d.string()
	}
	r.After = d.string()
	if flags&hasDelta != 0 {
		if flags&hasBefore != 0 {
			d.fail("before is there twice")
			return
		}
		r.Before = d.delta(r.After)
	}
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail("ends inside a record")
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("bad integer")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) max(limit uint64, what string) uint64 {
	v := d.uvarint()
	if v > limit {
		d.fail(what + " out of range")
		return 0
	}
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail("length beyond the end")
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) timestamp() hlc.Timestamp {
	return hlc.Timestamp{
		Millis:  int64(d.max(1<<63-1, "timestamp")),
		Counter: uint32(d.max(1<<32-1, "counter")),
		Node:    d.string(),
	}
}
