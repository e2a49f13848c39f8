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

// index parses a decimal array index: digits without sign or leading zeros.
func index(s []byte) (int, bool) {
	if len(s) == 0 || len(s) > 9 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
