package value

import "math"

// AppendNormal appends the normal form of v: one encoding that all equal values
// share and no others. Numbers take the shortest integer form if they are whole
// and fit 64 bits, else float64; strings, binaries and headers their shortest
// form; maps are sorted by key and hold each key once. The result is a valid
// value with the meaning of v. A missing or malformed v has the form of nil.
func AppendNormal(dst []byte, v Raw) []byte {
	if Check(v) != nil {
		return AppendNil(dst)
	}
	w := normal{r: NewReader(v)}
	return w.value(dst)
}

// AppendNormalScalar is AppendNormal for nil, booleans, numbers, strings and
// binaries; ok is false for all others, and dst is as it was. It does not let dst
// escape, so that dst may be on the stack.
func AppendNormalScalar(dst []byte, v Raw) (out []byte, ok bool) {
	kind := v.Kind()
	switch kind {
	case KindArray, KindMap, KindExt:
		return dst, false
	}
	if Check(v) != nil {
		return AppendNil(dst), true
	}
	r := NewReader(v)
	switch kind {
	case KindInt, KindFloat:
		n, _ := r.number("number")
		return n.appendNormal(dst), true
	case KindStr:
		return AppendStr(dst, r.Str()), true
	case KindBin:
		return AppendBin(dst, r.Bytes()), true
	}
	return append(dst, r.Raw()...), true
}

// normal writes one value. It relies on the input having passed Check, which
// also bounds its recursion.
type normal struct {
	r      Reader
	sorter sorter
	header []byte // scratch
}

func (w *normal) value(dst []byte) []byte {
	switch w.r.Kind() {
	case KindInt, KindFloat:
		n, size := w.r.number("number")
		w.r.pos += size
		return n.appendNormal(dst)
	case KindStr:
		return AppendStr(dst, w.r.Str())
	case KindBin:
		return AppendBin(dst, w.r.Bytes())
	case KindArray:
		n := w.r.ArrayHeader()
		dst = AppendArray(dst, n)
		for range n {
			dst = w.value(dst)
		}
		return dst
	case KindMap:
		return w.object(dst)
	case KindExt:
		return w.ext(dst)
	}
	return append(dst, w.r.Raw()...)
}

// object writes the sorted pairs and then makes room for the header before
// them, whose size depends on how many were kept.
func (w *normal) object(dst []byte) []byte {
	start, base := len(dst), len(w.sorter.pairs)
	for range w.r.MapHeader() {
		name, named := w.r.key()
		if !named {
			w.r.Skip()
			continue
		}
		from := len(dst)
		dst = w.value(AppendStr(dst, name))
		w.sorter.pairs = append(w.sorter.pairs, pair{name, from, len(dst)})
	}
	dst, kept := w.sorter.arrange(dst, base)
	w.header = AppendMap(w.header[:0], kept)
	dst = append(dst, w.header...)
	copy(dst[start+len(w.header):], dst[start:len(dst)-len(w.header)])
	copy(dst[start:], w.header)
	return dst
}

// ext writes an extension with the fixed lead of its size if there is one.
func (w *normal) ext(dst []byte) []byte {
	e := parseExt(w.r.Raw())
	return AppendExt(dst, e.Type, e.Data)
}

// appendNormal appends the one encoding of the number's value.
func (n number) appendNormal(dst []byte) []byte {
	switch n.form {
	case formInt:
		return AppendInt(dst, int64(n.bits))
	case formBig:
		return AppendUint(dst, n.bits)
	}
	f := math.Float64frombits(n.bits)
	switch {
	case math.IsNaN(f):
		return AppendFloat(dst, math.NaN())
	case f != math.Trunc(f) || f < -1<<63 || f >= 1<<64:
		return AppendFloat(dst, f)
	case f >= 1<<63:
		return AppendUint(dst, uint64(f))
	}
	return AppendInt(dst, int64(f))
}
