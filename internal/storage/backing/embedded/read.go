package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (row backing.Row, found bool, err error) {
	err = s.use(ctx, func(in *instance) error {
		var buf [128]byte
		value, closer, err := in.db.Get(appendKey(buf[:0], &key))
		if errors.Is(err, pebble.ErrNotFound) {
			return nil
		}
		if err != nil {
			return classify(fmt.Sprintf("load %v", key), err)
		}
		row, err = readRow(key, value)
		row.State = append([]byte{}, row.State...)
		found = err == nil
		return errors.Join(err, closer.Close())
	})
	return row, found, err
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
