package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Preload calls fn with the records of a map. It is for services that begin with
// what they had left, and may be called until the lanes run.
func (e *Engine) Preload(ctx context.Context, mapName string, fn func(key, state string)) error {
	inMemory := map[string]bool{}
	for _, r := range e.replicas {
		preload(r, mapName, func(key, state string) {
			inMemory[key] = true
			fn(key, state)
		})
	}
	err := e.store.Scan(ctx, backing.MapRange(0, mapName), func(row backing.Row) (bool, error) {
		if !inMemory[row.Key.Key] {
			fn(string([]byte(row.Key.Key)), string(row.State))
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read the map %s: %w", mapName, err)
	}
	return nil
}

func preload(r *records.Replica, mapName string, fn func(key, state string)) {
	m := r.Map(mapName)
	if m == nil || r.Table(m) == nil {
		return
	}
	r.Table(m).Ascend(record.Cursor{}, math.MaxUint32, func(e record.Entry) bool {
		if !e.Hollow() {
			fn(e.Copy())
		}
		return true
	})
}
