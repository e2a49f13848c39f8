package value

import "strings"

// Path names a place in a document: the names of nested fields, joined by dots.
// A segment below an array is an element's index, as in `tags.0`. The zero Path
// is the field with the empty name.
type Path struct {
	text   string
	dotted bool
}

// ParsePath returns the path that s describes. Every string is a path.
func ParsePath(s string) Path {
	return Path{text: s, dotted: strings.IndexByte(s, '.') >= 0}
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Lookup returns a view of the value at path, and whether there is one. A value
// of nil is there.
//
// Keys may contain dots themselves: in every map along the way the longest key
// that spells the whole rest of the path, or a part of it that ends at a dot,
// is followed and no other. A key that is there twice counts by its last
// value, as it does for every JavaScript peer.
func Lookup(doc Raw, path Path) (Raw, bool) {
	b, rest := []byte(doc), path
	for {
		var used int
		switch KindOf(b) {
		case KindMap:
			b, used = field(b, rest)
		case KindArray:
			b, used = element(b, rest)
		default:
			return nil, false
		}
		if b == nil {
			return nil, false
		}
		if used == len(rest.text) {
			return b, true
		}
		rest.text = rest.text[used+1:] // behind the dot
	}
}

// field returns the value of the longest key of the map b that path starts
// with, and the length of that key. It returns nil if there is none.
func field(b []byte, path Path) (v []byte, used int) {
	h, err := header(b)
	if err != nil {
		return nil, 0
	}
	rest := b[h.body:]
	for range h.n {
		key, size := shortKey(rest)
		length := len(key)
		var begins bool
		if size != 0 {
			begins = path.startsWith(key)
		} else if length, size, begins = path.otherKey(rest); size == 0 {
			return nil, 0
		}
		rest = rest[size:]
		n, err := Next(rest)
		if err != nil {
			return nil, 0
		}
		if begins && length >= used {
			v, used = rest[:n:n], length
		}
		rest = rest[n:]
	}
	return v, used
}

// otherKey is startsWith for a key that is not a short string, still encoded at
// the start of b. size is 0 if there is no complete key.
func (p Path) otherKey(b []byte) (length, size int, begins bool) {
	var scratch [keyScratch]byte
	key, size := parseKey(b, scratch[:0])
	return len(key), size, key != nil && p.startsWith(key)
}

// startsWith reports whether key is the whole path or a part before a dot.
func (p Path) startsWith(key []byte) bool {
	if len(key) == len(p.text) {
		return string(key) == p.text
	}
	return p.dotted && len(key) < len(p.text) && p.text[len(key)] == '.' && p.text[:len(key)] == string(key)
}

// element returns the element of the array b that the first segment of path
// counts to, and the length of the segment. It returns nil if there is none.
func element(b []byte, path Path) (v []byte, used int) {
	used = len(path.text)
	if path.dotted {
		if dot := strings.IndexByte(path.text, '.'); dot >= 0 {
			used = dot
		}
	}
	i, ok := index(path.text[:used])
	h, err := header(b)
	if !ok || err != nil || i >= h.n {
		return nil, 0
	}
	pos := h.body
	for range i {
		n, err := Next(b[pos:])
		if err != nil {
			return nil, 0
		}
		pos += n
	}
	n, err := Next(b[pos:])
	if err != nil {
		return nil, 0
	}
	return b[pos : pos+n : pos+n], used
}
