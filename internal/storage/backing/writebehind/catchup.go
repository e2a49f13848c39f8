package writebehind

import (
	"bytes"
	"context"

	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// bringUp makes far equal to near by reading both, and then sets the mark, which
// near had before it was read.
//
// Near goes on changing meanwhile. A slice may hold rows that are newer than the
// mark, which a store may; a row that is removed behind the slice is staged as
// removed, and goes on afterwards.
func (w *worker) bringUp(ctx context.Context, mark backing.Mark) error {
	for at, more := (backing.Range{}), true; more; {
		d, err := w.differ(ctx, at)
		if err != nil {
			return err
		}
		_, err = batches(d.writes, w.opt.BatchRows, w.opt.BatchBytes, func(part []backing.Write, _ bool) error {
			return w.apply(ctx, part, w.farMark)
		})
		if err != nil {
			return err
		}
		at.From, more = d.next, !d.end
	}
	if mark.Equal(w.farMark) {
		return nil
	}
	return w.apply(ctx, nil, mark)
}

// difference is what far lacks, or has too much, in a slice of the keys.
type difference struct {
	writes []backing.Write
	next   backing.Key // where the next slice begins
	end    bool        // there is none

	near  []backing.Write // of the slice, not yet compared
	names map[string]string
	bytes int
}

// differ compares the beginning of a range.
func (w *worker) differ(ctx context.Context, r backing.Range) (*difference, error) {
	d := &difference{end: true, names: map[string]string{}}
	held := 0
	err := w.near.Scan(ctx, r, func(row backing.Row) (bool, error) {
		if n := len(d.near); n >= w.opt.BatchRows || n > 0 && held+len(row.State) > w.opt.BatchBytes {
			d.end, d.next = false, d.near[n-1].Next()
			return false, nil
		}
		put := own(backing.Write{Row: row}, d.names)
		held += size(&put)
		d.near = append(d.near, put)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	err = w.far.Scan(ctx, backing.Range{From: r.From, To: d.next}, func(row backing.Row) (bool, error) {
		d.meet(row)
		// Far may hold any number of rows that near does not.
		if d.bytes < w.opt.BatchBytes && len(d.writes) < 2*w.opt.BatchRows {
			return true, nil
		}
		row = own(backing.Write{Row: row}, d.names).Row
		d.end, d.next, d.near = false, row.Next(), nil
		return false, nil
	})
	d.writes = append(d.writes, d.near...)
	return d, err
}

// meet compares the next row of far with the rows of near up to its key.
func (d *difference) meet(far backing.Row) {
	for len(d.near) > 0 && d.near[0].Compare(far.Key) < 0 {
		d.write(d.near[0])
		d.near = d.near[1:]
	}
	if len(d.near) == 0 || d.near[0].Compare(far.Key) != 0 {
		if mistake.CatchUpKeepsDeleted {
			return
		}
		d.write(own(backing.Write{Row: backing.Row{Key: far.Key}, Delete: true}, d.names))
		return
	}
	if !same(&d.near[0].Row, &far) {
		d.write(d.near[0])
	}
	d.near = d.near[1:]
}

func (d *difference) write(w backing.Write) {
	d.writes = append(d.writes, w)
	d.bytes += size(&w)
}

func same(a, b *backing.Row) bool {
	return a.Kind == b.Kind && a.Seq == b.Seq && a.Arrival == b.Arrival && bytes.Equal(a.State, b.State)
}
