package conditions

import (
	"github.com/cespare/xxhash/v2"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// names are buckets by name: by the normal form of a value, or by a text. Most
// changes ask for names that are not there, among so many that the table is not
// in the processor's cache; a filter that is answers those.
type names[T any] struct {
	buckets map[string]*bucket[T]
	absent  filter
}

// find returns the bucket of a name, nil if there is none.
func (n *names[T]) find(name []byte) *bucket[T] {
	if n.absent.says(name) {
		return nil
	}
	return n.buckets[string(name)]
}

func (n *names[T]) put(name string, b *bucket[T]) {
	if n.buckets == nil {
		n.buckets = map[string]*bucket[T]{}
	}
	n.buckets[name] = b
	if n.absent.none() && len(n.buckets) < filterFrom || n.absent.add(name) {
		return
	}
	if n.absent = (filter{}); len(n.buckets) < filterFrom {
		return
	}
	n.absent = newFilter(2 * len(n.buckets))
	for other := range n.buckets {
		n.absent.add(other)
	}
}

func (n *names[T]) remove(name string) { delete(n.buckets, name) }

// visit calls f for what is filed under a value.
func (n *names[T]) visit(v value.Raw, f func(T) bool) bool {
	if len(n.buckets) == 0 {
		return true
	}
	var scratch [64]byte
	name, ok := value.AppendNormalScalar(scratch[:0], v)
	if !ok {
		name = value.AppendNormal(nil, v)
	}
	b := n.find(name)
	return b == nil || b.visit(f)
}

// filterFrom is how many names there are when a filter is worth its memory.
const filterFrom = 1024

// filterBits are the bits of a filter for each of the names that it is made for.
const filterBits = 16

// filter knows of most names that they are not in a set (a Bloom filter in which
// all bits of a name are in one word, so that asking costs one access). What is
// taken out of the set stays in the filter until it is made again. The zero
// filter knows nothing.
type filter struct {
	words []uint64
	room  int // names that may be added before another one is due
}

func newFilter(names int) filter {
	return filter{words: make([]uint64, names*filterBits/64), room: names}
}

func (f *filter) none() bool { return len(f.words) == 0 }

// add notes a name, and reports false when another filter is due.
func (f *filter) add(name string) bool {
	if f.room == 0 {
		return false
	}
	f.room--
	word, bits := f.place(xxhash.Sum64String(name))
	f.words[word] |= bits
	return true
}

// says reports whether a name was never added.
func (f *filter) says(name []byte) bool {
	if f.none() {
		return false
	}
	word, bits := f.place(xxhash.Sum64(name))
	return f.words[word]&bits != bits
}

// place is the word of a hash and its bits in there: the upper half of the hash
// chooses the word, the lower the bits.
func (f *filter) place(h uint64) (word, bits uint64) {
	word = (h >> 32) * uint64(len(f.words)) >> 32
	return word, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}
