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

// Frames calls fn for every frame of the chain, oldest snapshot first, and
// checks every block on the way.
func (c Chain) Frames(fn func(payload []byte) error) error {
	for i := range c.parts {
		s, err := c.open(i)
		if err != nil {
			return err
		}
		err = s.each(func(it Item) error {
			if it.Payload == nil {
				return nil
			}
			return fn(it.Payload)
		})
		if err := errors.Join(err, s.close()); err != nil {
			return fmt.Errorf("%s: %w", c.parts[i].path, err)
		}
	}
	return nil
}

// Rows calls fn for every key of the chain with its newest row, ascending. The
// row is valid during the call.
func (c Chain) Rows(fn func(*backing.Row) error) (err error) {
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
	var last backing.Key
	some := false
	for len(live) > 0 {
		s := live[0]
		// Of one key the newest snapshot comes first; the others are older.
		if !some || last.Compare(s.item.Row.Key) != 0 {
			last, some = s.item.Row.Key, true
			if err := fn(&s.item.Row); err != nil {
				return err
			}
		}
		if err := s.next(); err != nil {
			return err
		}
		if s.done {
			heap.Pop(&live)
		} else {
			heap.Fix(&live, 0)
		}
	}
	return nil
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

// Push implements heap.Interface; nothing is pushed.
func (h *sources) Push(any) {}

// Pop implements heap.Interface.
func (h *sources) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
