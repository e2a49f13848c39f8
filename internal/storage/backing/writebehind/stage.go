package writebehind

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// stage is the rows that have not gone on: of each key the last state.
type stage struct {
	rows  map[backing.Key]backing.Write
	bytes int
}

// rowBytes is about what a staged row costs besides key and state.
const rowBytes = 160

func size(w *backing.Write) int { return rowBytes + len(w.Key.Key) + len(w.State) }

// put takes w, whose memory is the stage's from now on, and reports whether an
// earlier state of its key was there.
func (s *stage) put(w backing.Write) (coalesced bool) {
	if s.rows == nil {
		s.rows = map[backing.Key]backing.Write{}
	}
	old, coalesced := s.rows[w.Key]
	if coalesced {
		s.bytes -= size(&old)
	}
	s.rows[w.Key] = w
	s.bytes += size(&w)
	return coalesced
}

// under puts what was taken earlier back, below what has come since.
func (s *stage) under(earlier []backing.Write) {
	for _, w := range earlier {
		if _, newer := s.rows[w.Key]; !newer {
			s.put(w)
		}
	}
}

// sorted returns the rows in the order of keys.
func (s *stage) sorted() []backing.Write {
	return slices.SortedFunc(maps.Values(s.rows), func(a, b backing.Write) int { return a.Compare(b.Key) })
}

// own returns w with memory of its own. Names of maps are few and kept by names.
func own(w backing.Write, names map[string]string) backing.Write {
	name, ok := names[w.Map]
	if !ok {
		name = strings.Clone(w.Map)
		names[name] = name
	}
	w.Map = name
	w.Key.Key = strings.Clone(w.Key.Key)
	w.State = bytes.Clone(w.State)
	return w
}

// batches calls fn with consecutive parts of rows, none larger than the bounds
// unless it is one row, until fn fails; it returns the rows not done.
func batches(rows []backing.Write, maxRows, maxBytes int, fn func(part []backing.Write, last bool) error) ([]backing.Write, error) {
	for len(rows) > 0 {
		n, sum := 0, 0
		for n < len(rows) && n < maxRows && (n == 0 || sum+size(&rows[n]) <= maxBytes) {
			sum += size(&rows[n])
			n++
		}
		if err := fn(rows[:n], n == len(rows)); err != nil {
			return rows, err
		}
		rows = rows[n:]
	}
	return nil, nil
}
