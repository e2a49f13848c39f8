package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Sort orders a result by fields, the first one first. It is read from an array
// of {field, direction} or from an object {field: direction}, whose order on
// the wire counts, and written as an array.
//
//wire:codec [{field, direction: asc|desc}]
type Sort []SortField

// SortField is one field of a Sort.
type SortField struct {
	Field      string
	Descending bool
}

func (s *Sort) decode(d *decoder) {
	if d.Kind() == value.KindMap {
		s.decodeObject(d)
		return
	}
	n := d.list(d.lim.Items, 1)
	if d.Err() != nil {
		return
	}
	out := make(Sort, n)
	for i := range out {
		out[i].decode(d)
		if d.Err() != nil {
			d.atIndex(i)
			return
		}
	}
	*s = out
}

func (s *Sort) decodeObject(d *decoder) {
	n := d.object(d.lim.Items)
	if d.Err() != nil {
		return
	}
	out := make(Sort, n)
	for i := range out {
		out[i].Field = d.str(d.lim.NameBytes)
		out[i].Descending = descending(d)
		if d.Err() != nil {
			d.at(out[i].Field)
			return
		}
	}
	*s = out
}

func (f *SortField) decode(d *decoder) {
	for range d.MapHeader() {
		key := d.Str()
		switch key {
		case "field":
			f.Field = d.str(d.lim.NameBytes)
		case "direction":
			f.Descending = descending(d)
		default:
			d.Skip()
		}
		if d.Err() != nil {
			d.at(key)
			return
		}
	}
	if f.Field == "" && d.Err() == nil {
		d.missing("field")
	}
}

func descending(d *decoder) bool {
	if d.Nil() {
		return false
	}
	switch d.Str() {
	case "desc":
		return true
	case "asc":
		return false
	}
	d.invalid("want asc or desc")
	return false
}

func (s *Sort) appendTo(dst []byte) []byte {
	dst = value.AppendArray(dst, len(*s))
	for _, f := range *s {
		dst = value.AppendMap(dst, 2)
		dst = value.AppendStr(value.AppendStr(dst, "field"), f.Field)
		dst = value.AppendStr(dst, "direction")
		if f.Descending {
			dst = value.AppendStr(dst, "desc")
		} else {
			dst = value.AppendStr(dst, "asc")
		}
	}
	return dst
}
