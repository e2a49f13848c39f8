package embedded

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// sampleRows is how many rows of a map are counted before the rest is
// estimated from the space that they take.
const sampleRows = 1024

// Maps implements backing.Store. It reads up to sampleRows rows of each map.
func (s *Store) Maps(ctx context.Context) (list []backing.MapInfo, err error) {
	err = s.use(ctx, func(in *instance) error {
		it, err := iterate(in, backing.Range{})
		if err != nil {
			return err
		}
		for ok := it.First(); ok && err == nil; {
			if err = ctx.Err(); err != nil {
				break
			}
			var info backing.MapInfo
			info, err = measure(in, it)
			list = append(list, info)
			ok = err == nil && it.SeekGE(bytesAfter(info))
		}
		return classify("list maps", firstError(err, it.Error(), it.Close()))
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// bytesAfter is where the rows of the next map may begin.
func bytesAfter(info backing.MapInfo) []byte {
	_, upper := bounds(backing.MapRange(info.Tenant, info.Map))
	return upper
}

// measure describes the map whose first row it is at, and moves it on.
func measure(in *instance, it *pebble.Iterator) (backing.MapInfo, error) {
	var keys keyReader
	first, err := rowAt(it, &keys)
	if err != nil {
		return backing.MapInfo{}, err
	}
	info := backing.MapInfo{Tenant: first.Tenant, Map: first.Map, Kind: first.Kind, Rows: 1}
	from, to := bounds(backing.MapRange(info.Tenant, info.Map))
	for it.Next() {
		if bytes.Compare(it.Key(), to) >= 0 {
			info.Exact = true
			return info, nil
		}
		if info.Rows == sampleRows {
			info.Rows, err = estimate(in, [3][]byte{from, it.Key(), to})
			return info, err
		}
		info.Rows++
	}
	info.Exact = true
	return info, nil
}

// estimate returns how many rows lie between the first and the last of three
// keys, if sampleRows lie between the first two.
func estimate(in *instance, keys [3][]byte) (uint64, error) {
	sample, err := in.db.EstimateDiskUsage(keys[0], keys[1])
	if err != nil {
		return 0, err
	}
	rest, err := in.db.EstimateDiskUsage(keys[1], keys[2])
	if err != nil || sample == 0 {
		return sampleRows, err
	}
	return sampleRows + rest*sampleRows/sample, nil
}

// firstError returns the first of errs that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
