package crdt

import (
	"encoding/binary"
	"iter"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// ORState is the state of one key in an observed-remove map: its live records
// and the tombstones of its removed ones, encoded. "" is the empty state.
//
// No tag is in both parts. A tombstone carries when its tag was removed, so that
// it can be forgotten by age; the earliest time known is kept, which makes a
// repeated removal change nothing.
type ORState string

// sections are the parts of a state.
type sections struct {
	live, dead uint64 // how many
	records    string
	tombstones string
}

// split reads the header. ok is false when s is no state.
func (s ORState) split() (p sections, ok bool) {
	if s == "" {
		return sections{}, true
	}
	c := cursor{s: string(s)}
	if c.byte() != formatOR {
		return sections{}, false
	}
	p.live = c.uint()
	p.dead = c.uint()
	p.records = c.text()
	p.tombstones = c.s[c.at:]
	return p, !c.bad
}

func appendHeader(dst []byte, live, dead uint64, size int) []byte {
	dst = append(dst, formatOR)
	dst = binary.AppendUvarint(dst, live)
	dst = binary.AppendUvarint(dst, dead)
	return binary.AppendUvarint(dst, uint64(size))
}

// Live is the number of live records, expired ones included.
func (s ORState) Live() int {
	p, _ := s.split()
	return int(p.live)
}

// Dead is the number of tombstones.
func (s ORState) Dead() int {
	p, _ := s.split()
	return int(p.dead)
}

// Records yields the live records in the order of their tags.
func (s ORState) Records() iter.Seq[ORRecord] {
	return func(yield func(ORRecord) bool) {
		p, _ := s.split()
		for c := (cursor{s: p.records}); !c.done(); {
			if r := c.record(); c.bad || !yield(r) {
				return
			}
		}
	}
}

// Tombstones yields the removed tags in order, and when each was removed, in
// milliseconds since the Unix epoch.
func (s ORState) Tombstones() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		p, _ := s.split()
		for c := (cursor{s: p.tombstones}); !c.done(); {
			if tag, at := c.tombstone(); c.bad || !yield(tag, at) {
				return
			}
		}
	}
}

// Add merges one record. A tag that has a tombstone stays removed, a known tag
// takes the new record only if its timestamp is greater; in both cases changed
// is false and next is dst.
//
// Otherwise the new state is appended to dst and returned as next. prev is the
// record that was replaced, with an empty Tag when there was none.
func (s ORState) Add(dst []byte, r ORRecord) (next []byte, prev ORRecord, changed bool, err error) {
	if r.Tag == "" {
		return dst, ORRecord{}, false, ErrNoTag
	}
	p, ok := s.split()
	if !ok {
		return dst, ORRecord{}, false, s.corrupt()
	}
	tomb, ok := findTombstone(p.tombstones, r.Tag)
	if !ok {
		return dst, ORRecord{}, false, s.corrupt()
	}
	prev, spot, ok := findRecord(p.records, r.Tag)
	if !ok {
		return dst, ORRecord{}, false, s.corrupt()
	}
	if tomb.found || spot.found && hlc.Compare(r.TS, prev.TS) <= 0 {
		return dst, ORRecord{}, false, nil
	}
	size := len(p.records) - (spot.to - spot.from) + recordSize(r)
	live := p.live
	if !spot.found {
		live++
	}
	dst = appendHeader(dst, live, p.dead, size)
	dst = append(dst, p.records[:spot.from]...)
	dst = appendRecord(dst, r)
	dst = append(dst, p.records[spot.to:]...)
	return append(dst, p.tombstones...), prev, true, nil
}

// Remove merges the removal of one tag at a time in milliseconds since the Unix
// epoch. A tag that is not known leaves its tombstone all the same, so that its
// addition, should it come later, has no effect. hadLive says that the tag was
// live; removed is its record then. Where the tag had a tombstone of that time
// or an earlier one, changed is false and next is dst; otherwise the new state is
// appended to dst and returned as next.
func (s ORState) Remove(dst []byte, tag string, removedAt int64) (next []byte, removed ORRecord, hadLive, changed bool, err error) {
	if tag == "" {
		return dst, ORRecord{}, false, false, ErrNoTag
	}
	p, ok := s.split()
	if !ok {
		return dst, ORRecord{}, false, false, s.corrupt()
	}
	tomb, ok := findTombstone(p.tombstones, tag)
	if !ok {
		return dst, ORRecord{}, false, false, s.corrupt()
	}
	if tomb.found && tomb.at <= removedAt {
		return dst, ORRecord{}, false, false, nil
	}
	removed, spot, ok := findRecord(p.records, tag)
	if !ok {
		return dst, ORRecord{}, false, false, s.corrupt()
	}
	live, dead := p.live, p.dead
	if spot.found {
		live--
	}
	if !tomb.found {
		dead++
	}
	dst = appendHeader(dst, live, dead, len(p.records)-(spot.to-spot.from))
	dst = append(dst, p.records[:spot.from]...)
	dst = append(dst, p.records[spot.to:]...)
	dst = append(dst, p.tombstones[:tomb.from]...)
	dst = appendTombstone(dst, tag, removedAt)
	return append(dst, p.tombstones[tomb.to:]...), removed, spot.found, true, nil
}

// Hash is the entry hash of the key for the Merkle tree: the hash of "key:" and
// the key, followed for each live record, in the order of tags, by
// "|tag:V(value):millis:counter:node" and, if it has a ttl, ":ttl=" and the ttl.
// Tombstones are no part of it. Without live records it is 0: the key is not in
// the tree.
func (s ORState) Hash(key string) uint32 {
	var scratch [256]byte // the text of a value, most often
	text := scratch[:0]
	h := hash.Init.String("key:").String(key)
	p, _ := s.split()
	if p.records == "" {
		return 0
	}
	for c := (cursor{s: p.records}); !c.done(); {
		r := c.record()
		if c.bad {
			break
		}
		text = value.AppendCanonical(text[:0], r.Value)
		h = h.Byte('|').String(r.Tag).Byte(':').Text(text).
			Byte(':').Int(r.TS.Millis).
			Byte(':').Uint(uint64(r.TS.Counter)).
			Byte(':').String(r.TS.Node)
		if r.HasTTL {
			h = h.String(":ttl=").Int(r.TTL)
		}
	}
	return h.Sum()
}
