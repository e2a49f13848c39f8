package value

import "bytes"

// Ranks of kinds in Compare.
const (
	rankBool = iota
	rankNumber
	rankStr
	rankOther
	rankMissing
)

func rank(k Kind) int {
	switch k {
	case KindBool:
		return rankBool
	case KindInt, KindFloat:
		return rankNumber
	case KindStr:
		return rankStr
	case KindBin, KindArray, KindMap, KindExt:
		return rankOther
	}
	return rankMissing
}

// Compare orders any two values, -1, 0 or +1: booleans (false first), numbers,
// strings, everything else, and last nil and missing values. Numbers are
// compared by their exact value whatever their form, with NaN before all
// others; strings by bytes; everything else by the bytes of its normal form.
// It is a total order, and 0 means Equal.
//
// Compare allocates only where a binary, an array, a map or an extension meets
// another.
func Compare(a, b Raw) int {
	ra, rb := rank(a.Kind()), rank(b.Kind())
	if ra != rb {
		return order(ra, rb)
	}
	switch ra {
	case rankBool:
		return order(int(a[0]), int(b[0]))
	case rankNumber:
		na, _, _ := parseNumber(a)
		nb, _, _ := parseNumber(b)
		return compareNumbers(na, nb)
	case rankStr:
		return bytes.Compare(str(a), str(b))
	case rankOther:
		if bytes.Equal(a, b) {
			return 0
		}
		return bytes.Compare(AppendNormal(nil, a), AppendNormal(nil, b))
	}
	return 0
}

// Equal reports whether a and b are the same value: numbers by their exact
// value whatever their form (NaN equals NaN), maps whatever the order of their
// keys, containers by what they contain. Nil and missing are equal.
func Equal(a, b Raw) bool {
	switch {
	case bytes.Equal(a, b):
		return true
	case a.Kind() == KindStr && b.Kind() == KindStr:
		return bytes.Equal(str(a), str(b))
	}
	return Compare(a, b) == 0
}

// str returns the bytes of a string value, nil if it is incomplete.
func str(v Raw) []byte {
	if s, size := shortKey(v); size != 0 {
		return s
	}
	h, err := header(v)
	if err != nil || h.kind != KindStr {
		return nil
	}
	return v[h.body:h.end()]
}
