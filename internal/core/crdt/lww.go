package crdt

import (
	"cmp"
	"encoding/binary"
	"math"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// LWW is the record of a key in a last-writer-wins map.
type LWW struct {
	// Value is one encoded value. A nil Value is a tombstone: the key was
	// deleted at TS. The encoded nil means the same and is turned into it.
	Value value.Raw
	// TS decides which of two records of the key stays.
	TS hlc.Timestamp
	// TTL is how long after TS the record is visible, in milliseconds; 0 is for
	// ever.
	TTL int64
}

// Tombstone reports whether r says that its key was deleted.
func (r LWW) Tombstone() bool { return isNil(r.Value) }

// Visible reports whether r is neither a tombstone nor expired at nowMillis. An
// expired record stays in the map and in its hashes.
func (r LWW) Visible(nowMillis int64) bool {
	return !r.Tombstone() && !Expired(r.TS.Millis, r.TTL, nowMillis)
}

// Expired reports whether a record of this age is hidden: its last visible
// millisecond is before now.
func Expired(millis, ttl, nowMillis int64) bool { return End(millis, ttl) < nowMillis }

// End is the last visible millisecond of a record, millis + ttl within the range
// of int64. A ttl of 0 never expires.
func End(millis, ttl int64) int64 {
	end := millis + ttl
	switch {
	case ttl == 0, ttl > 0 && end < millis:
		return math.MaxInt64
	case ttl < 0 && end > millis:
		return math.MinInt64
	}
	return end
}

func isNil(v value.Raw) bool { return len(v) == 0 || len(v) == 1 && v[0] == nilByte }

const nilByte = 0xc0 // the encoded nil

const (
	lwwTTL       = 1 << 0 // a ttl follows the node
	lwwTombstone = 1 << 1 // no value follows
	lwwFlags     = lwwTTL | lwwTombstone

	lwwNode = 1 + clockSize
)

// LWWNode is where a state has the length of its node's name, in one byte for
// names of less than 128, and then the name.
const LWWNode = lwwNode

// AppendLWW appends the state of a key that holds r.
func AppendLWW(dst []byte, r LWW) []byte {
	flags := byte(formatLWW)
	if r.TTL != 0 {
		flags |= lwwTTL
	}
	if r.Tombstone() {
		flags |= lwwTombstone
	}
	dst = appendClock(append(dst, flags), r.TS)
	dst = appendText(dst, r.TS.Node)
	if r.TTL != 0 {
		dst = binary.AppendVarint(dst, r.TTL)
	}
	if flags&lwwTombstone != 0 {
		return dst
	}
	return append(dst, r.Value...)
}

// ParseLWW reads a state. The result aliases b. The layout is checked, the value
// is not looked into; that is ValidateLWW's.
func ParseLWW(b string) (LWW, error) {
	c := cursor{s: b}
	flags := c.byte()
	if flags&^lwwFlags != formatLWW {
		return LWW{}, c.corrupt("lww")
	}
	var r LWW
	r.TS.Millis, r.TS.Counter = c.clock()
	r.TS.Node = c.text()
	if flags&lwwTTL != 0 {
		if r.TTL = c.int(); r.TTL == 0 {
			c.fail()
		}
	}
	rest := c.s[c.at:]
	if flags&lwwTombstone == 0 {
		r.Value = bytesOf(rest)
	}
	// A tombstone ends here; anything else has a value, and one that is not nil.
	if c.bad || (rest == "") != (flags&lwwTombstone != 0) || rest != "" && rest[0] == nilByte {
		return LWW{}, c.corrupt("lww")
	}
	return r, nil
}

// ValidateLWW checks a state down to the encoding of its value.
func ValidateLWW(b string) error {
	r, err := ParseLWW(b)
	if err != nil {
		return err
	}
	if r.Value != nil && value.Check(r.Value) != nil {
		return &CorruptError{Kind: "lww", Offset: len(b) - len(r.Value)}
	}
	return nil
}

// AcceptLWW compares the timestamp of an incoming record with a stored state:
// +1 when the incoming one is newer and replaces it, 0 when it is the same
// write, -1 when it is older. Anything is newer than a state that is absent or
// too short to hold a timestamp.
func AcceptLWW(stored string, ts hlc.Timestamp) int {
	if len(stored) <= lwwNode {
		return +1
	}
	if c := cmp.Compare(uint64(ts.Millis)^1<<63, beUint64(stored[1:])); c != 0 {
		return c
	}
	if c := cmp.Compare(ts.Counter, beUint32(stored[9:])); c != 0 {
		return c
	}
	return strings.Compare(ts.Node, lwwNodeOf(stored))
}

// CompareLWW orders two states by timestamp as AcceptLWW does: the result is
// positive when a is newer than b, negative when it is older, 0 for the same
// write.
func CompareLWW(a, b string) int {
	if len(a) <= lwwNode || len(b) <= lwwNode {
		return max(0, len(a)-lwwNode) - max(0, len(b)-lwwNode) // a state that is absent is the oldest
	}
	if c := strings.Compare(a[1:lwwNode], b[1:lwwNode]); c != 0 {
		return c
	}
	return strings.Compare(lwwNodeOf(a), lwwNodeOf(b))
}

// MergeLWW returns the winner of two states of one key; stored when they are
// of the same write.
func MergeLWW(stored, remote string) string {
	if CompareLWW(remote, stored) > 0 {
		return remote
	}
	return stored
}

// lwwNodeOf returns the node name of a state longer than lwwNode bytes.
func lwwNodeOf(s string) string {
	c := cursor{s: s, at: lwwNode}
	return c.text()
}

// LWWHash is the entry hash of a key for the Merkle tree: the hash of the text
// "key:millis:counter:node". Value and ttl are not part of it, and a tombstone
// counts like any other record.
func LWWHash(key string, ts hlc.Timestamp) uint32 {
	return hash.Init.String(key).
		Byte(':').Int(ts.Millis).
		Byte(':').Uint(uint64(ts.Counter)).
		Byte(':').String(ts.Node).Sum()
}

// LWWHashOf is LWWHash for a stored state; 0 when that is not one.
func LWWHashOf(key, stored string) uint32 {
	c := cursor{s: stored, at: min(1, len(stored))}
	var ts hlc.Timestamp
	ts.Millis, ts.Counter = c.clock()
	ts.Node = c.text()
	if c.bad {
		return 0
	}
	return LWWHash(key, ts)
}
