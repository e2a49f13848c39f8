package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// NumberMap is a map from names to numbers, in the order of the wire. A name
// may stand in it twice if it came so.
//
//wire:codec {name: number}
type NumberMap []NumberEntry

// NumberEntry is one entry of a NumberMap.
type NumberEntry struct {
	Name  string
	Value float64
}

// Get returns the number of a name and whether there is one.
func (m NumberMap) Get(name string) (float64, bool) {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value, true
		}
	}
	return 0, false
}

func (m *NumberMap) decode(d *decoder) {
	n := d.object(d.lim.Items)
	if d.Err() != nil {
		return
	}
	out := make(NumberMap, n)
	for i := range out {
		name := d.str(d.lim.NameBytes)
		out[i] = NumberEntry{Name: name, Value: d.number()}
		if d.Err() != nil {
			d.at(name)
			return
		}
	}
	*m = out
}

func (m *NumberMap) appendTo(dst []byte) []byte {
	dst = value.AppendMap(dst, len(*m))
	for _, e := range *m {
		dst = value.AppendStr(dst, e.Name)
		dst = value.AppendNumber(dst, e.Value)
	}
	return dst
}
