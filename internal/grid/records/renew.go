package records

import (
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// A table's filter of the keys that are in the store only grows with every key
// that leaves. Where keys come and go for long, it is made anew, one table of the
// lane at a time, of the rows that the store has; see record.Table.Worn.

// Renew begins to make the filter of a table anew whose filter is worn, if there
// is one and none is under way.
func (s *Shared) Renew() {
	if s.renewing {
		return
	}
	for _, h := range s.tables {
		if h.t.Worn() {
			s.renew(h)
			return
		}
	}
}

func (s *Shared) renew(h held) {
	s.renewing = true
	h.t.Renew()
	s.Rows(h.r, h.m, record.Cursor{})
}

// Renewed takes the next rows of a table that is made anew, which had been asked
// for when the replica had been loaded so many times. more says that the store has
// others behind them.
func (r *Replica) Renewed(m *Map, loads int, rows []backing.Row, more bool, err error) {
	s, t := r.shared, r.tables[m]
	switch {
	case r.loads != loads || !t.Renewing():
		s.renewing = false // what was loaded is put down anew, or all are back
		return
	case err != nil:
		t.EndRenewal(false)
		s.renewing = false
		return
	}
	for i := range rows {
		t.KeepAway(rows[i].Hash, rows[i].Key.Key)
	}
	if more {
		last := &rows[len(rows)-1]
		s.Rows(r, m, record.Cursor{Hash: last.Hash, Key: last.Key.Key})
		return
	}
	t.EndRenewal(true)
	s.renewing = false
}
