package value

import (
	"math"
	"slices"
)

// AppendCanonical appends the text V(value) that entry hashes of
// observed-remove maps are computed over, byte for byte what the JavaScript
// client makes of the value:
//
//   - nil, booleans and numbers as String() writes them, strings as they are;
//   - maps and arrays as JSON.stringify(v, keys) with keys = the sorted names
//     of v's own top level. That list admits names at every depth, so a nested
//     map keeps only fields whose names also occur at the top, and a map inside
//     a top-level array only fields named like one of the array's indexes.
//
// Binaries count as the typed array that the client holds, a map from index to
// byte; extensions, which it cannot hold, as an empty map. A missing or
// malformed value counts as nil.
func AppendCanonical(dst []byte, v Raw) []byte {
	if Check(v) != nil {
		return append(dst, "null"...)
	}
	h, _ := header(v)
	switch h.kind {
	case KindNil, KindBool, KindInt, KindFloat:
		return appendScalar(dst, v)
	case KindStr:
		return append(dst, v[h.body:]...)
	}
	w := canonical{r: NewReader(v)}
	switch h.kind {
	case KindMap: // as many as header saw bytes for
		w.names = make([]string, 0, h.n)
		w.sorter.pairs = make([]pair, 0, h.n)
		for name := range Fields(v) {
			w.names = append(w.names, name)
		}
		slices.SortFunc(w.names, compareUTF16)
	default:
		w.indexes = h.n
	}
	return w.value(dst)
}

// canonical writes one container as JSON. It relies on the input having passed
// Check, which also bounds its recursion.
type canonical struct {
	r       Reader
	names   []string // sorted: what a top-level map admits
	indexes int      // how many indexes a top-level array or binary admits
	sorter  sorter
}

func (w *canonical) admits(name string) bool {
	if w.indexes == 0 {
		_, ok := slices.BinarySearchFunc(w.names, name, compareUTF16)
		return ok
	}
	i, ok := index(name)
	return ok && i < w.indexes
}

func (w *canonical) value(dst []byte) []byte {
	switch w.r.Kind() {
	case KindStr:
		return AppendQuoted(dst, w.r.Str())
	case KindArray:
		return w.array(dst)
	case KindMap:
		return w.object(dst)
	case KindBin:
		return w.binary(dst)
	case KindExt:
		w.r.Skip()
		return append(dst, "{}"...)
	case KindInt, KindFloat:
		f := w.r.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(dst, "null"...)
		}
		return floatNumber(f).appendText(dst)
	}
	return appendScalar(dst, w.r.Raw())
}

func (w *canonical) array(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range w.r.ArrayHeader() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.value(dst)
	}
	return append(dst, ']')
}

// object writes every pair with a comma behind it, sorts them, and then turns
// the last comma into the brace.
func (w *canonical) object(dst []byte) []byte {
	dst = append(dst, '{')
	base := len(w.sorter.pairs)
	for range w.r.MapHeader() {
		name, named := w.r.key()
		if !named || !w.admits(name) {
			w.r.Skip()
			continue
		}
		from := len(dst)
		dst = append(AppendQuoted(dst, name), ':')
		dst = append(w.value(dst), ',')
		w.sorter.pairs = append(w.sorter.pairs, pair{name, from, len(dst)})
	}
	dst, _ = w.sorter.arrange(dst, base)
	return closeObject(dst)
}

// binary writes a byte string as the map of its indexes.
func (w *canonical) binary(dst []byte) []byte {
	data := w.r.Bytes()
	dst = append(dst, '{')
	for i := 0; i >= 0; i = nextByText(i, len(data)) {
		var buf [keyScratch]byte
		name := intNumber(int64(i)).appendText(buf[:0])
		if i >= len(data) || !w.admits(view(name)) {
			continue
		}
		dst = append(AppendQuoted(dst, view(name)), ':')
		dst = append(intNumber(int64(data[i])).appendText(dst), ',')
	}
	return closeObject(dst)
}

// nextByText returns the number below n whose decimal text sorts next after
// that of i (0, 1, 10, 11, 2, …), or -1 after the last.
func nextByText(i, n int) int {
	if i > 0 && i*10 < n {
		return i * 10
	}
	for i%10 == 9 || i+1 >= n {
		if i /= 10; i == 0 {
			return -1
		}
	}
	return i + 1
}

func closeObject(dst []byte) []byte {
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// AppendQuoted appends s as a JSON string, as JSON.stringify writes it: only quotes, backslashes and control
// characters below U+0020 are escaped.
func AppendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
