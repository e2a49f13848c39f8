package predicate_test

import (
	"bytes"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// world is what the oracle evaluates a condition in, decoded.
type world struct {
	key             string
	data, old, auth any
	now             int64
}

// oracle evaluates a decoded condition on decoded documents: slow and obvious.
func oracle(w world, node map[string]any) bool {
	op, _ := node["op"].(string)
	children, _ := node["children"].([]any)
	child := func(i int) bool { return oracle(w, children[i].(map[string]any)) }
	switch op {
	case "and":
		for i := range children {
			if !child(i) {
				return false
			}
		}
		return true
	case "or":
		for i := range children {
			if child(i) {
				return true
			}
		}
		return false
	case "not":
		return len(children) == 0 || !child(0)
	}
	left := oracleRef(w, "data."+node["attribute"].(string))
	right := node["value"]
	if ref, ok := node["valueRef"].(string); ok {
		right = oracleRef(w, ref)
		if right == nil && op != "isNull" && op != "isNotNull" {
			return false
		}
	}
	switch {
	case op == "isNull":
		return left == nil
	case left == nil:
		return false
	case op == "isNotNull":
		return true
	}
	return oracleLeaf(op, left, right)
}

func oracleLeaf(op string, left, right any) bool {
	list, isList := right.([]any)
	text, isText := left.(string)
	pattern, isPattern := right.(string)
	array, isArray := left.([]any)
	switch op {
	case "eq":
		return oracleSame(left, right)
	case "neq":
		return !oracleSame(left, right)
	case "gt", "gte", "lt", "lte":
		return oracleOrdered(op, left, right)
	case "between":
		return isList && len(list) == 2 && oracleOrdered("gte", left, list[0]) && oracleOrdered("lte", left, list[1])
	case "like":
		re := regexp.QuoteMeta(pattern)
		re = strings.ReplaceAll(strings.ReplaceAll(re, "%", ".*"), "_", ".")
		return isText && isPattern && regexp.MustCompile("(?is)^"+re+"$").MatchString(text)
	case "regex":
		return isText && isPattern && regexp.MustCompile(pattern).MatchString(text)
	case "startsWith":
		return isText && isPattern && strings.HasPrefix(text, pattern)
	case "endsWith":
		return isText && isPattern && strings.HasSuffix(text, pattern)
	case "in":
		if isList {
			return oracleHas(list, left)
		}
		return right != nil && oracleHas(array, right)
	case "contains":
		return right != nil && (isArray && oracleHas(array, right) || isText && oracleFinds(text, right))
	}
	if right == nil || !isArray && !isText {
		return false
	}
	if !isList {
		list = []any{right}
	}
	found := func(e any) bool { return isArray && oracleHas(array, e) || isText && oracleFinds(text, e) }
	if op == "containsAny" {
		return slices.ContainsFunc(list, found)
	}
	return !slices.ContainsFunc(list, func(e any) bool { return !found(e) })
}

func oracleHas(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return oracleSame(e, v) })
}

func oracleFinds(text string, needle any) bool {
	s, ok := needle.(string)
	return ok && regexp.MustCompile("(?is)"+regexp.QuoteMeta(s)).MatchString(text)
}

// oracleOrdered compares values of one type that has an order.
func oracleOrdered(op string, a, b any) bool {
	var c int
	x, isNumber := oracleNumber(a)
	y, bothNumbers := oracleNumber(b)
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		if !ok {
			return false
		}
		c = bytes.Compare([]byte(a), []byte(b))
	case bool:
		b, ok := b.(bool)
		if !ok {
			return false
		}
		c = oracleBit(a) - oracleBit(b)
	default:
		if !isNumber || !bothNumbers || x == nil || y == nil {
			return false
		}
		c = x.Cmp(y)
	}
	return map[string]bool{"gt": c > 0, "gte": c >= 0, "lt": c < 0, "lte": c <= 0}[op]
}

func oracleBit(v bool) int {
	if v {
		return 1
	}
	return 0
}

// oracleSame is equality where NaN equals nothing, unless deep in a container.
func oracleSame(a, b any) bool {
	if x, ok := oracleNumber(a); ok && x == nil {
		return false
	}
	return oracleEqual(a, b)
}

func oracleEqual(a, b any) bool {
	x, ok := oracleNumber(a)
	y, both := oracleNumber(b)
	if ok || both {
		return ok && both && (x == nil) == (y == nil) && (x == nil || x.Cmp(y) == 0)
	}
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, oracleEqual)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if e, ok := b[k]; !ok || !oracleEqual(a[k], e) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []byte, []any, map[string]any:
		return false
	}
	return a == b
}

// oracleNumber returns an exact number, nil for NaN; ok is false for others.
func oracleNumber(v any) (f *big.Float, ok bool) {
	f = new(big.Float).SetPrec(200)
	switch v := v.(type) {
	case int64:
		return f.SetInt64(v), true
	case uint64:
		return f.SetUint64(v), true
	case float64:
		if math.IsNaN(v) {
			return nil, true
		}
		return f.SetFloat64(v), true
	}
	return nil, false
}

func oracleRef(w world, ref string) any {
	if ref == "now" {
		return w.now
	}
	root, path, _ := strings.Cut(ref, ".")
	switch root {
	case "data":
		if path == "_key" {
			return w.key
		}
		return oracleLookup(w.data, path)
	case "old":
		return oracleLookup(w.old, path)
	}
	return oracleLookup(w.auth, path)
}

// oracleLookup follows the longest key that begins the path; nil for nothing.
func oracleLookup(v any, path string) any {
	segments := strings.Split(path, ".")
	switch v := v.(type) {
	case map[string]any:
		for n := len(segments); n > 0; n-- {
			field, ok := v[strings.Join(segments[:n], ".")]
			if ok && n < len(segments) {
				return oracleLookup(field, strings.Join(segments[n:], "."))
			}
			if ok {
				return field
			}
		}
	case []any:
		i, err := strconv.Atoi(segments[0])
		if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != segments[0] {
			return nil
		}
		if len(segments) > 1 {
			return oracleLookup(v[i], strings.Join(segments[1:], "."))
		}
		return v[i]
	}
	return nil
}
