package crdt

import (
	"math/bits"
)

// spot is a place in a section: where an entry is, or, empty, where it would be.
type spot struct {
	from, to int
	found    bool
	at       int64 // of a tombstone that was found: when it was removed
}

// findRecord looks for a tag among encoded live records. ok is false when they
// cannot be read.
func findRecord(records, tag string) (r ORRecord, where spot, ok bool) {
	for c := (cursor{s: records}); !c.done(); {
		from := c.at
		r := c.record()
		if c.bad {
			return ORRecord{}, spot{}, false
		}
		switch d := compareTags(r.Tag, tag); {
		case d == 0:
			return r, spot{from: from, to: c.at, found: true}, true
		case d > 0:
			return ORRecord{}, spot{from: from, to: from}, true
		}
	}
	return ORRecord{}, spot{from: len(records), to: len(records)}, true
}

// findTombstone is findRecord for tombstones.
func findTombstone(tombstones, tag string) (where spot, ok bool) {
	for c := (cursor{s: tombstones}); !c.done(); {
		from := c.at
		t, at := c.tombstone()
		if c.bad {
			return spot{}, false
		}
		switch d := compareTags(t, tag); {
		case d == 0:
			return spot{from: from, to: c.at, found: true, at: at}, true
		case d > 0:
			return spot{from: from, to: from}, true
		}
	}
	return spot{from: len(tombstones), to: len(tombstones)}, true
}

// recordSize is the number of bytes that appendRecord appends.
func recordSize(r ORRecord) int {
	n := textSize(len(r.Tag)) + 1 + clockSize + uvarintSize(uint64(len(r.TS.Node))) + textSize(max(1, len(r.Value)))
	if !tagEndsInNode(r.Tag, r.TS.Node) {
		n += len(r.TS.Node)
	}
	if r.HasTTL {
		n += uvarintSize(uint64(r.TTL<<1) ^ uint64(r.TTL>>63))
	}
	return n
}

func textSize(n int) int { return uvarintSize(uint64(n)) + n }

func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
