package backing

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// Key names one row. Hash is the key's hash as the protocol defines it; the
// store does not compute or check it, it only sorts by it.
type Key struct {
	Tenant    uint32
	Map       string
	Partition partition.ID
	Hash      uint32
	Key       string
}

// Compare orders keys as every store does: by tenant, then map, then partition,
// then hash, then key. Strings compare byte by byte.
func (k Key) Compare(o Key) int {
	if k.Tenant != o.Tenant {
		return cmp.Compare(k.Tenant, o.Tenant)
	}
	if c := strings.Compare(k.Map, o.Map); c != 0 {
		return c
	}
	if k.Partition != o.Partition {
		return cmp.Compare(k.Partition, o.Partition)
	}
	if k.Hash != o.Hash {
		return cmp.Compare(k.Hash, o.Hash)
	}
	return strings.Compare(k.Key, o.Key)
}

// Next is the smallest key after k: where a scan that stopped at k goes on.
func (k Key) Next() Key {
	k.Key += "\x00"
	return k
}

// String is for messages; it quotes what users chose.
func (k Key) String() string {
	return fmt.Sprintf("%d/%q/%d/%08x/%q", k.Tenant, k.Map, k.Partition, k.Hash, k.Key)
}
