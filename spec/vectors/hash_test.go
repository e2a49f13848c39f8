package vectors_test

import (
	"fmt"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

type hashFile struct {
	About string `json:"about"`
	Cases []struct {
		Input string `json:"input"`
		Hash  uint32 `json:"hash"`
		Hex   string `json:"hex"`
		Leaf  string `json:"leaf"`
	} `json:"cases"`
}

func TestHashVectors(t *testing.T) {
	check(t, "hash.json", func(f *hashFile) {
		for i := range f.Cases {
			c := &f.Cases[i]
			c.Hash = hash.Key(c.Input)
			c.Hex = fmt.Sprintf("%08x", c.Hash)
			c.Leaf = merkle.LeafPath(merkle.LeafOf(c.Hash))
		}
	})
}

type combineFile struct {
	About string `json:"about"`
	Cases []struct {
		Hashes   []uint32 `json:"hashes"`
		Combined uint32   `json:"combined"`
	} `json:"cases"`
}

func TestCombineVectors(t *testing.T) {
	check(t, "combine.json", func(f *combineFile) {
		for i := range f.Cases {
			f.Cases[i].Combined = hash.Combine(f.Cases[i].Hashes...)
		}
	})
}

type partitionFile struct {
	About string `json:"about"`
	Count int    `json:"count"`
	Cases []struct {
		Key       string       `json:"key"`
		Partition partition.ID `json:"partition"`
	} `json:"cases"`
}

func TestPartitionVectors(t *testing.T) {
	check(t, "partitions.json", func(f *partitionFile) {
		f.Count = partition.Count
		for i := range f.Cases {
			f.Cases[i].Partition = partition.Of(hash.Key(f.Cases[i].Key))
		}
	})
}
