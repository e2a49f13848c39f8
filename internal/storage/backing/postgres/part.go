package postgres

import (
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// part is the part of a range that lies in one map.
type part struct {
	of       namedMap
	from, to *place // nil: no bound
}

// place is a place in the order of one map's keys.
type place struct {
	partition int32
	hash      int64
	key       []byte
	behind    bool // behind that key, as the beginning of a part
}

// partOf returns the part of r in a map, or false if they do not meet.
func partOf(r backing.Range, m namedMap) (part, bool) {
	p := part{of: m}
	switch c := m.compare(mapName{r.From.Tenant, r.From.Map}); {
	case c < 0:
		return p, false
	case c == 0:
		p.from = placeOf(r.From)
	}
	if r.Unbounded() {
		return p, true
	}
	switch c := m.compare(mapName{r.To.Tenant, r.To.Map}); {
	case c > 0:
		return p, false
	case c == 0:
		p.to = placeOf(r.To)
	}
	return p, true
}

func placeOf(k backing.Key) *place {
	return &place{partition: int32(k.Partition), hash: int64(k.Hash), key: []byte(k.Key)}
}

// where is the condition of SQL that a row is in the part.
func (p *part) where() (text string, args []any) {
	var b strings.Builder
	b.WriteString("map = $1")
	args = append(args, p.of.id)
	bound := func(op string, at *place) {
		n := len(args)
		fmt.Fprintf(&b, " and (partition, hash, key) %s ($%d, $%d, $%d)", op, n+1, n+2, n+3)
		args = append(args, at.partition, at.hash, at.key)
	}
	if p.from != nil {
		op := ">="
		if p.from.behind {
			op = ">"
		}
		bound(op, p.from)
	}
	if p.to != nil {
		bound("<", p.to)
	}
	return b.String(), args
}
