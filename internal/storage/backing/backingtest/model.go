package backingtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Model is what a store should hold: a plain map, as slow and as obvious as can
// be. The zero Model is empty. It is not safe for concurrent use.
type Model struct {
	rows map[backing.Key]backing.Row
	mark backing.Mark
}

// Apply does what Store.Apply should do.
func (m *Model) Apply(writes []backing.Write, mark backing.Mark) {
	if m.rows == nil {
		m.rows = map[backing.Key]backing.Row{}
	}
	for _, w := range writes {
		if w.Delete {
			delete(m.rows, w.Key)
			continue
		}
		w.State = bytes.Clone(w.State)
		m.rows[w.Key] = w.Row
	}
	m.mark = mark.Clone()
}

// Clear does what Store.Clear should do.
func (m *Model) Clear(ranges []backing.Range, mark backing.Mark) {
	for k := range m.rows {
		if slices.ContainsFunc(ranges, func(r backing.Range) bool { return r.Contains(k) }) {
			delete(m.rows, k)
		}
	}
	m.mark = mark.Clone()
}

// Clone returns a model that no longer changes with m.
func (m *Model) Clone() *Model {
	c := &Model{rows: map[backing.Key]backing.Row{}, mark: m.mark.Clone()}
	maps.Copy(c.rows, m.rows)
	return c
}

// Mark is the mark of the last checkpoint.
func (m *Model) Mark() backing.Mark { return m.mark.Clone() }

// Rows returns the rows in r, ascending.
func (m *Model) Rows(r backing.Range) []backing.Row {
	var rows []backing.Row
	for k, row := range m.rows {
		if r.Contains(k) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b backing.Row) int { return a.Compare(b.Key) })
	return rows
}

// Check returns an error that says where s, read as a whole, differs from m.
func (m *Model) Check(ctx context.Context, s backing.Store) error {
	mark, err := s.Mark(ctx)
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	if !mark.Equal(m.mark) {
		return fmt.Errorf("mark is %v, want %v", mark, m.mark)
	}
	return m.CheckRows(ctx, s)
}

// CheckRows is Check without the mark.
func (m *Model) CheckRows(ctx context.Context, s backing.Store) error {
	got, err := Collect(ctx, s, backing.Range{})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return compare(got, m.Rows(backing.Range{}))
}

// Collect returns the rows in r as a scan of s gives them, with memory of their
// own.
func Collect(ctx context.Context, s backing.Store, r backing.Range) ([]backing.Row, error) {
	var rows []backing.Row
	err := s.Scan(ctx, r, func(row backing.Row) (bool, error) {
		rows = append(rows, own(row))
		return true, nil
	})
	return rows, err
}

// compare returns an error that says where got first differs from want.
func compare(got, want []backing.Row) error {
	for i := range min(len(got), len(want)) {
		if !same(got[i], want[i]) {
			return fmt.Errorf("row %d of %d is %s, want %s", i, len(got), describe(got[i]), describe(want[i]))
		}
	}
	switch {
	case len(got) > len(want):
		return fmt.Errorf("%d rows, want %d; the first too many is %s", len(got), len(want), describe(got[len(want)]))
	case len(got) < len(want):
		return fmt.Errorf("%d rows, want %d; the first missing is %s", len(got), len(want), describe(want[len(got)]))
	}
	return nil
}

func same(a, b backing.Row) bool {
	return a.Key == b.Key && a.Kind == b.Kind && a.Seq == b.Seq && a.Arrival == b.Arrival &&
		bytes.Equal(a.State, b.State)
}

func describe(r backing.Row) string {
	const enough = 24
	return fmt.Sprintf("%v kind %d seq %d arrival %d state (%d bytes) %x",
		r.Key, r.Kind, r.Seq, r.Arrival, len(r.State), r.State[:min(len(r.State), enough)])
}
