package session

import (
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// batches lends the memory of the operations that the sessions of a host decode.
type batches struct{ pool sync.Pool }

// Get implements wire.OpBatchPool.
func (b *batches) Get() *wire.OpBatch {
	if m, ok := b.pool.Get().(*wire.OpBatch); ok {
		return m
	}
	return new(wire.OpBatch)
}

// Put implements wire.OpBatchPool.
func (b *batches) Put(m *wire.OpBatch) { b.pool.Put(m) }
