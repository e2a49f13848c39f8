package snapshot

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Chain is a full snapshot and the incremental ones that build on it. The zero
// Chain is empty.
type Chain struct {
	fs    vfs.FS
	parts []part
}

type part struct {
	path string
	Entry
}

// OpenFile is the chain of one file, a full snapshot.
func OpenFile(fsys vfs.FS, path string) (Chain, error) {
	a := Archive{fs: fsys, dir: fsys.PathDir(path)}
	e, err := a.entry(fsys.PathBase(path))
	if err != nil {
		return Chain{}, fmt.Errorf("%s: %w", path, err)
	}
	if !e.Header.Full() {
		return Chain{}, fmt.Errorf("%w: %s builds on the backup %s; name the directory that holds both", ErrChain, path, e.Header.Base)
	}
	return Chain{fs: fsys, parts: []part{{path: path, Entry: e}}}, nil
}

// Entries are the snapshots of the chain, the full one first.
func (c Chain) Entries() []Entry {
	all := make([]Entry, len(c.parts))
	for i := range c.parts {
		all[i] = c.parts[i].Entry
	}
	return all
}

// Last is the newest snapshot. It panics for an empty chain.
func (c Chain) Last() Entry { return c.parts[len(c.parts)-1].Entry }

// Check reports a break of the chain: a base whose positions are not those that
// the next one began at, or another log.
func (c Chain) Check() error {
	for i := 1; i < len(c.parts); i++ {
		was, is := c.parts[i-1], c.parts[i]
		switch {
		case is.Header.Base != was.Header.ID, is.Header.Log != was.Header.Log:
			return fmt.Errorf("%w: %s does not build on %s", ErrChain, is.path, was.path)
		case !equal(is.Header.Since, was.Trailer.Reached):
			return fmt.Errorf("%w: %s does not begin where %s ends", ErrChain, is.path, was.path)
		}
	}
	return nil
}

func equal(a, b Positions) bool {
	if len(a) != len(b) {
		return false
	}
	for id, pos := range a {
		if b[id] != pos {
			return false
		}
	}
	return true
}

// Frames calls fn for every frame of the chain, oldest snapshot first, with the
// place of its snapshot in the chain, and checks every block on the way.
func (c Chain) Frames(fn func(place int, payload []byte) error) error {
	for i := range c.parts {
		s, err := c.open(i)
		if err != nil {
			return err
		}
		err = s.each(func(it Item) error {
			if it.Payload == nil {
				return nil
			}
			return fn(i, it.Payload)
		})
		if err := errors.Join(err, s.close()); err != nil {
			return fmt.Errorf("%s: %w", c.parts[i].path, err)
		}
	}
	return nil
}

// Found is what the rows of a chain say of a key.
type Found struct {
	Key backing.Key

	// Row is the newest row, nil when there is none: the key is gone, or only
	// frames have it. It is valid during the call that is given it.
	Row *backing.Row

	// From is the place of the first snapshot whose frames count. What comes
	// before belongs to a life of the key that has ended, or is older than Row.
	From int

	// Kept means that the newest snapshot names the key without having its row:
	// the row, or a frame, is in another one.
	Kept bool
}

// Keys calls fn for every key that rows of the chain name, ascending. A key that
// no row names is only in frames, and those of the newest snapshot count.
func (c Chain) Keys(fn func(Found) error) (err error) {
	var open sources
	defer func() {
		for _, s := range open {
			err = errors.Join(err, s.close())
		}
	}()
	for i := range c.parts {
		s, err := c.open(i)
		if err != nil {
			return err
		}
		open = append(open, s)
		if err := s.next(); err != nil {
			return err
		}
	}
	live := slices.DeleteFunc(slices.Clone(open), func(s *source) bool { return s.done })
	heap.Init(&live)
	var same sources
	for len(live) > 0 {
		same = append(same[:0], live.pop())
		for len(live) > 0 && live[0].item.Row.Key.Compare(same[0].item.Row.Key) == 0 {
			same = append(same, live.pop())
		}
		if err := fn(c.find(same)); err != nil {
			return err
		}
		for _, s := range same {
			if err := s.next(); err != nil {
				return err
			}
			if !s.done {
				heap.Push(&live, s)
			}
		}
	}
	return nil
}

// find puts together what the snapshots that name a key say, newest first.
func (c Chain) find(same sources) Found {
	f := Found{Key: same[0].item.Row.Key, From: len(c.parts) - 1}
	for _, s := range same {
		switch {
		case s.age < f.From: // the snapshot at From did not find the key
			return f
		case !s.item.Kept:
			f.Row = &s.item.Row
			return f
		}
		f.Kept = true
		f.From--
	}
	return f
}

// source reads the rows of one snapshot.
type source struct {
	file vfs.File
	path string
	age  int // place in the chain
	in   *Reader
	item Item
	done bool
}

func (c Chain) open(i int) (*source, error) {
	f, size, err := openFile(c.fs, c.parts[i].path)
	if err != nil {
		return nil, err
	}
	in, err := NewReader(bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 1<<20))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.parts[i].path, err), f.Close())
	}
	return &source{file: f, path: c.parts[i].path, age: i, in: in}, nil
}

func (s *source) close() error { return s.file.Close() }

// next moves to the next row.
func (s *source) next() error {
	for {
		it, err := s.in.Next()
		switch {
		case errors.Is(err, io.EOF):
			s.done, s.item = true, Item{}
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", s.path, err)
		case it.Payload == nil:
			s.item = it
			return nil
		}
	}
}

func (s *source) each(fn func(Item) error) error {
	for {
		it, err := s.in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = fn(it)
		}
		if err != nil {
			return err
		}
	}
}

// sources is a heap: by key, and of one key the newest snapshot first.
type sources []*source

// Len implements heap.Interface.
func (h sources) Len() int { return len(h) }

// Less implements heap.Interface.
func (h sources) Less(i, j int) bool {
	if n := h[i].item.Row.Key.Compare(h[j].item.Row.Key); n != 0 {
		return n < 0
	}
	return h[i].age > h[j].age
}

// Swap implements heap.Interface.
func (h sources) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *sources) Push(s any) {
	if s, ok := s.(*source); ok {
		*h = append(*h, s)
	}
}

// pop takes out the first source.
func (h *sources) pop() *source {
	first := (*h)[0]
	heap.Pop(h)
	return first
}

// Pop implements heap.Interface.
func (h *sources) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
