package value

import "iter"

// Fields returns the entries of a map in encoded order as views; nothing for a
// value of another kind. A key that is there twice comes twice, and its last
// value is the one that counts.
func Fields(v Raw) iter.Seq2[string, Raw] {
	return func(yield func(string, Raw) bool) {
		if v.Kind() != KindMap {
			return
		}
		r := NewReader(v)
		for range r.MapHeader() {
			name, named := r.key()
			val := r.Raw()
			if r.err != nil || (named && !yield(name, val)) {
				return
			}
		}
	}
}

// Elements returns the elements of an array as views; nothing for a value of
// another kind.
func Elements(v Raw) iter.Seq[Raw] {
	return func(yield func(Raw) bool) {
		if v.Kind() != KindArray {
			return
		}
		r := NewReader(v)
		for range r.ArrayHeader() {
			val := r.Raw()
			if r.err != nil || !yield(val) {
				return
			}
		}
	}
}

// key consumes a map key and returns its name; named is false for a key of a
// kind that has none, and after a failure.
func (r *Reader) key() (name string, named bool) {
	if r.Kind() == KindStr {
		name = r.Str()
		return name, r.err == nil
	}
	raw := r.Raw()
	if r.err != nil {
		return "", false
	}
	text, _ := parseKey(raw, nil)
	return string(text), text != nil
}
