package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// pointRead are the options of a read of one row. Pebble's Get leaves the
// filters of the lowest level alone, where most rows are, and would read a block
// for every key that is not there.
var pointRead = pebble.IterOptions{UseL6Filters: true}

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (row backing.Row, found bool, err error) {
	err = s.use(ctx, func(in *instance) error {
		row, found, err = loadRow(in, key)
		if err != nil {
			return classify(fmt.Sprintf("load %v", key), err)
		}
		return nil
	})
	return row, found, err
}

func loadRow(in *instance, key backing.Key) (row backing.Row, found bool, err error) {
	var buf [128]byte
	encoded := appendKey(buf[:0], &key)
	it, err := in.db.NewIter(&pointRead)
	if err != nil {
		return row, false, err
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = cerr
		}
	}()
	// The prefix of a key is all of it, so there is nothing else to find.
	if !it.SeekPrefixGE(encoded) {
		return row, false, it.Error()
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return row, false, err
	}
	if row, err = readRow(key, value); err != nil {
		return row, false, err
	}
	row.State = append([]byte{}, row.State...)
	return row, true, nil
}

// Scan implements backing.Store.
func (s *Store) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	if r.Empty() {
		return s.use(ctx, func(*instance) error { return nil })
	}
	return s.use(ctx, func(in *instance) (err error) {
		it, err := iterate(in, r)
		if err != nil {
			return err
		}
		defer func() {
			if cerr := it.Close(); cerr != nil && err == nil {
				err = classify("scan", cerr)
			}
		}()
		var keys keyReader
		for n, ok := 1, it.First(); ok; n, ok = n+1, it.Next() {
			if n%ctxEvery == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			row, err := rowAt(it, &keys)
			if err != nil {
				return err
			}
			if more, err := fn(row); err != nil || !more {
				return err
			}
		}
		return nil
	})
}

// iterate returns an iterator over the rows in r, not yet positioned.
func iterate(in *instance, r backing.Range) (*pebble.Iterator, error) {
	lower, upper := bounds(r)
	it, err := in.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	return it, classify("scan", err)
}

// rowAt decodes the row under it, as a view.
func rowAt(it *pebble.Iterator, keys *keyReader) (backing.Row, error) {
	key, err := keys.read(it.Key())
	if err != nil {
		return backing.Row{}, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return backing.Row{}, classify(fmt.Sprintf("scan at %v", key), err)
	}
	return readRow(key, value)
}
