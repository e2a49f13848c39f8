package value

import "slices"

// Project returns a new map with those of the named fields that doc has, in the
// order of fields. A name is a path as in Lookup and stays the key of what it
// finds: `address.city` becomes a field of that name. Names given twice count
// once. A doc that is not a map has no fields.
//
// The cost is one Lookup per name; callers bound the list.
func Project(doc Raw, fields []string) Raw {
	dst := AppendMap(make([]byte, 0, min(len(doc)+5, 64+32*len(fields))), len(fields))
	found := 0
	for i, name := range fields {
		if slices.Contains(fields[:i], name) {
			continue
		}
		if v, ok := lookupField(doc, name); ok {
			dst = append(AppendStr(dst, name), v...)
			found++
		}
	}
	if found < len(fields) {
		return recount(dst, len(fields), found)
	}
	return dst
}

func lookupField(doc Raw, name string) (Raw, bool) {
	if doc.Kind() != KindMap {
		return nil, false
	}
	return Lookup(doc, ParsePath(name))
}

// recount replaces the header of a map for was pairs by one for is pairs.
func recount(b []byte, was, is int) Raw {
	var old, now [5]byte
	body := b[len(AppendMap(old[:0], was)):]
	head := AppendMap(now[:0], is)
	return append(b[:copy(b, head)], body...)
}
