package merkle_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

// spreadKeys makes n hashes that fall on many leaves.
func spreadKeys(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i) * 0x9e3779b1
	}
	return out
}

func treeOf(n int) (*merkle.Tree, []uint32) {
	tree, keys := &merkle.Tree{}, spreadKeys(n)
	for _, k := range keys {
		tree.Update(k, 0, k+1, 1)
	}
	return tree, keys
}

func BenchmarkUpdate(b *testing.B) {
	for name, n := range map[string]int{"sparse": 200, "dense": 1 << 12} {
		b.Run(name, func(b *testing.B) {
			tree, keys := treeOf(n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				k := keys[i]
				tree.Update(k, k+1, k+2, 0)
				tree.Update(k, k+2, k+1, 0)
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}

func BenchmarkRoot(b *testing.B) {
	for name, n := range map[string]int{"sparse": 200, "dense": 1 << 12} {
		b.Run(name, func(b *testing.B) {
			tree, keys := treeOf(n)
			b.ReportAllocs()
			for b.Loop() {
				tree.Update(keys[0], 1, 2, 0)
				tree.Root()
			}
		})
	}
}

func BenchmarkChildren(b *testing.B) {
	tree, _ := treeOf(1 << 12)
	b.ReportAllocs()
	for b.Loop() {
		tree.Children("")
	}
}

func BenchmarkAddTo(b *testing.B) {
	tree, _ := treeOf(1 << 12)
	var sum merkle.Tree
	for b.Loop() {
		tree.AddTo(&sum)
	}
}
