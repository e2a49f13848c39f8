package value

// Bytes consumes a byte field and returns its content. A binary or a string is
// returned in place. The third form is what the JavaScript client makes of a
// typed array: a map from the decimal indexes "0".."n-1", in any order, to
// numbers 0..255; it is copied into a new slice no longer than the input.
// Any other map fails with ErrRange, any other kind with ErrKind.
func (r *Reader) Bytes() []byte {
	switch r.Kind() {
	case KindStr:
		return r.StrBytes()
	case KindMap:
		return r.indexMap()
	}
	h, ok := r.head(KindBin)
	if !ok {
		return nil
	}
	v := r.b[r.pos+h.body : r.pos+h.end() : r.pos+h.end()]
	r.pos += h.end()
	return v
}

// indexMap decodes the index map form of Bytes.
func (r *Reader) indexMap() []byte {
	at := *r // for the offset of a failure of the map as a whole
	n := r.MapHeader()
	out := make([]byte, n)
	seen := make([]bool, n)
	for range n {
		i, ok := index(r.StrBytes())
		v := r.Int()
		if r.err != nil {
			return nil
		}
		if !ok || i >= n || seen[i] || v < 0 || v > 0xff {
			at.fail("bytes by index", ErrRange)
			r.err = at.err
			return nil
		}
		out[i], seen[i] = byte(v), true
	}
	return out
}
