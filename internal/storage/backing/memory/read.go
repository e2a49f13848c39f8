package memory

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// current returns the state that a read sees.
func (s *Store) current(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, backing.ErrClosed
	}
	return s.state.Load(), nil
}

// Mark implements backing.Store.
func (s *Store) Mark(ctx context.Context) (backing.Mark, error) {
	st, err := s.current(ctx)
	if err != nil {
		return backing.Mark{}, err
	}
	return st.mark.Clone(), nil
}

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (backing.Row, bool, error) {
	st, err := s.current(ctx)
	if err != nil {
		return backing.Row{}, false, err
	}
	i, found := find(st.rows, key)
	if !found {
		return backing.Row{}, false, nil
	}
	row := st.rows[i]
	row.Key, row.State = key, bytes.Clone(row.State)
	return row, true, nil
}

// Scan implements backing.Store. The rows it hands out really are valid only
// during the call: their memory is overwritten afterwards, so that whoever
// keeps it finds out in the simulator and not on a disk.
func (s *Store) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	st, err := s.current(ctx)
	if err != nil || r.Empty() {
		return err
	}
	var lent loan
	from, to := span(st.rows, r)
	for _, row := range st.rows[from:to] {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := fn(lent.make(row))
		lent.spoil()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// A loan is the memory of the row that a scan has handed out.
type loan struct{ buf []byte }

// make returns a copy of row in the memory of the loan.
func (l *loan) make(row backing.Row) backing.Row {
	l.buf = append(l.buf[:0], row.Map...)
	l.buf = append(l.buf, row.Key.Key...)
	l.buf = append(l.buf, row.State...)
	name, rest := l.buf[:len(row.Map)], l.buf[len(row.Map):]
	key, state := rest[:len(row.Key.Key)], rest[len(row.Key.Key):]
	row.Map = unsafe.String(unsafe.SliceData(name), len(name))
	row.Key.Key = unsafe.String(unsafe.SliceData(key), len(key))
	row.State = state
	return row
}

// spoil overwrites the memory of the loan.
func (l *loan) spoil() {
	for i := range l.buf {
		l.buf[i] = 0xdb
	}
}

// Maps implements backing.Store; its counts are exact.
func (s *Store) Maps(ctx context.Context) ([]backing.MapInfo, error) {
	st, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	var list []backing.MapInfo
	for rows := st.rows; len(rows) > 0; {
		first := &rows[0]
		_, n := span(rows, backing.MapRange(first.Tenant, first.Map))
		list = append(list, backing.MapInfo{
			Tenant: first.Tenant, Map: first.Map, Kind: first.Kind, Rows: uint64(n), Exact: true,
		})
		rows = rows[n:]
	}
	return list, nil
}
