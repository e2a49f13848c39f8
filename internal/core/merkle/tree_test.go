package merkle_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

// plain is the definition: the keys themselves, each with its entry hash.
type plain map[string]uint32

func pathOf(key string) string { return fmt.Sprintf("%08x", hash.Key(key))[:3] }

// hashes returns the hash of every node that has keys below it, by path.
func (p plain) hashes() map[string]uint32 {
	out := map[string]uint32{"": 0}
	for key, entry := range p {
		out[pathOf(key)] += hash.Combine(entry)
	}
	for depth := 2; depth >= 0; depth-- {
		for path, h := range maps.Clone(out) {
			if len(path) == depth+1 {
				out[path[:depth]] += hash.Combine(h)
			}
		}
	}
	return out
}

// compare fails where a node of the tree has another hash or other children.
func compare(t *rapid.T, tree *merkle.Tree, p plain) {
	t.Helper()
	keys := map[string]int{}
	for key := range p {
		keys[pathOf(key)]++
	}
	hashes := p.hashes()
	if got := tree.Root(); got != hashes[""] {
		t.Fatalf("root %d, want %d", got, hashes[""])
	}
	for path, want := range hashes {
		if len(path) == 3 {
			if sum, n, ok := tree.Leaf(path); sum != want || n != keys[path] || !ok {
				t.Fatalf("leaf %s is %d with %d keys, want %d with %d", path, sum, n, want, keys[path])
			}
			continue
		}
		var want []merkle.Child
		for _, d := range "0123456789abcdef" {
			if h, ok := hashes[path+string(d)]; ok {
				want = append(want, merkle.Child{Digit: byte(d), Hash: h})
			}
		}
		if got := tree.Children(path); !slices.Equal(got, want) {
			t.Fatalf("children of %q are %v, want %v", path, got, want)
		}
	}
}

// set does to both what a map does when the entry hash of a key changes.
func set(tree *merkle.Tree, p plain, key string, entry uint32) {
	old, known := p[key]
	delta := 0
	if !known {
		delta = 1
	}
	tree.Update(hash.Key(key), old, entry, delta)
	p[key] = entry
}

func unset(tree *merkle.Tree, p plain, key string) {
	if old, known := p[key]; known {
		tree.Update(hash.Key(key), old, 0, -1)
		delete(p, key)
	}
}

// entries draws entry hashes, often 0: a key without one.
func entries() *rapid.Generator[uint32] {
	return rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32())
}

// fillUp adds n keys, enough of which make a tree dense.
func fillUp(tree *merkle.Tree, p plain, n int, name string) {
	for i := range n {
		key := fmt.Sprintf("%s:%d", name, i)
		set(tree, p, key, hash.Key("entry of "+key))
	}
}

func TestTreeFollowsItsKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, p := &merkle.Tree{}, plain{}
		fillUp(tree, p, rapid.SampledFrom([]int{0, 5, 200, 1000}).Draw(t, "size"), "key")
		keys := rapid.OneOf(
			rapid.Map(rapid.IntRange(0, 40), func(i int) string { return fmt.Sprintf("key:%d", i) }),
			rapid.StringN(0, 3, -1),
		)
		t.Repeat(map[string]func(*rapid.T){
			"set":   func(t *rapid.T) { set(tree, p, keys.Draw(t, "key"), entries().Draw(t, "entry")) },
			"unset": func(t *rapid.T) { unset(tree, p, keys.Draw(t, "key")) },
			"":      func(t *rapid.T) { compare(t, tree, p) },
		})
	})
}

func TestUpdatedTreeEqualsRebuiltTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, p := &merkle.Tree{}, plain{}
		n := rapid.SampledFrom([]int{10, 150, 600}).Draw(t, "size")
		fillUp(tree, p, n, "a")
		fillUp(tree, p, n/2, "b")
		for i := range n {
			unset(tree, p, fmt.Sprintf("a:%d", i))
		}
		fillUp(tree, p, n/3, "c")
		rebuilt := &merkle.Tree{}
		for key, entry := range p { // in another order
			rebuilt.Update(hash.Key(key), 0, entry, 1)
		}
		if tree.Root() != rebuilt.Root() {
			t.Fatalf("root %d, rebuilt %d", tree.Root(), rebuilt.Root())
		}
		compare(t, tree, p)
	})
}

func TestTreesOfDisjointKeysAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SampledFrom([]int{0, 3, 100, 500})
		total, all := &merkle.Tree{}, plain{}
		for i := range 3 {
			part, p := &merkle.Tree{}, plain{}
			fillUp(part, p, sizes.Draw(t, "size"), fmt.Sprint("part", i))
			part.AddTo(total)
			maps.Copy(all, p)
		}
		compare(t, total, all)
	})
}

func TestAddBelowTakesOneSubtree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, p := &merkle.Tree{}, plain{}
		fillUp(tree, p, rapid.SampledFrom([]int{20, 600}).Draw(t, "size"), "key")
		path := rapid.StringMatching(`[0-9a-f]{0,3}`).Draw(t, "path")
		part := &merkle.Tree{}
		tree.AddBelow(path, part)
		tree.AddBelow("no path", part)
		maps.DeleteFunc(p, func(key string, _ uint32) bool { return pathOf(key)[:len(path)] != path })
		compare(t, part, p)
	})
}

func TestEmptyTree(t *testing.T) {
	tree := &merkle.Tree{}
	if got := tree.Root(); got != 0 {
		t.Errorf("root %d, want 0", got)
	}
	tree.Update(0x12345678, 0, 7, 1)
	tree.Update(0x12345678, 7, 0, -1)
	if tree.Root() != 0 || tree.Children("") != nil {
		t.Errorf("after its only key has gone: root %d, children %v", tree.Root(), tree.Children(""))
	}
}

func TestKeyWithoutEntryHashIsPresentButHidden(t *testing.T) {
	tree := &merkle.Tree{}
	tree.Update(0x12345678, 0, 0, 1)
	if tree.Root() != 0 {
		t.Errorf("root %d, want 0", tree.Root())
	}
	for path, digit := range map[string]byte{"": '1', "1": '2', "12": '3'} {
		if got, want := tree.Children(path), []merkle.Child{{Digit: digit}}; !slices.Equal(got, want) {
			t.Errorf("children of %q are %v, want %v", path, got, want)
		}
	}
	if sum, keys, ok := tree.Leaf("123"); sum != 0 || keys != 1 || !ok {
		t.Errorf("leaf is %d with %d keys, %v", sum, keys, ok)
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string][2]uint16{
		"": {0, 4095}, "0": {0, 255}, "f": {3840, 4095}, "37": {0x370, 0x37f}, "374": {0x374, 0x374}, "fff": {4095, 4095},
	} {
		first, last, ok := merkle.Range(path)
		if got := [2]uint16{first, last}; got != want || !ok {
			t.Errorf("Range(%q) = %v, %v, want %v", path, got, ok, want)
		}
		least, greatest, ok := merkle.HashRange(path)
		if merkle.LeafOf(least) != first || merkle.LeafOf(greatest) != last || !ok ||
			least<<12 != 0 || ^greatest<<12 != 0 {
			t.Errorf("HashRange(%q) = %08x, %08x, %v", path, least, greatest, ok)
		}
	}
	tree := &merkle.Tree{}
	tree.Update(0, 0, 1, 1)
	for _, path := range []string{"0000", "g", "A", "3 ", "/", "\x00", "é"} {
		if _, _, ok := merkle.Range(path); ok {
			t.Errorf("Range takes %q", path)
		}
		if _, _, ok := merkle.HashRange(path); ok || tree.Children(path) != nil {
			t.Errorf("%q is taken for a path", path)
		}
	}
	if _, _, ok := tree.Leaf("00"); ok || tree.Children("000") != nil {
		t.Error("a node is taken for a leaf, or the reverse")
	}
	for _, leaf := range []uint16{0, 0x374, 4095} {
		if first, last, ok := merkle.Range(merkle.LeafPath(leaf)); first != leaf || last != leaf || !ok {
			t.Errorf("leaf %d has path %q", leaf, merkle.LeafPath(leaf))
		}
	}
}
