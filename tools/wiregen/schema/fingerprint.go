package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Fingerprint condenses all that a peer can notice: types, layouts, directions,
// names and kinds of fields, sets of names. Comments, Go names and the order of
// declarations do not count.
func (s *Schema) Fingerprint() string {
	var lines []string
	for _, f := range s.Families {
		for _, o := range f.Objects {
			if o.Message != nil {
				lines = append(lines, fmt.Sprintf("%s %s %s %t %s", o.Message.Type, o.Message.Layout,
					o.Message.Direction, o.Message.OptionalPayload, s.shape(o)))
			}
		}
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		_, _ = io.WriteString(sum, line+"\n")
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// shape writes the fields of an object, with what they refer to spelled out.
func (s *Schema) shape(o *Object) string {
	var fields []string
	for _, f := range o.Fields {
		fields = append(fields, fmt.Sprintf("%s:%s:%s:%t:%t:%t", f.Wire, s.form(f), f.Presence, f.List, f.Map, f.Top))
	}
	slices.Sort(fields)
	return "{" + strings.Join(fields, ",") + "}"
}

func (s *Schema) form(f *Field) string {
	switch f.Kind {
	case ObjectRef:
		return s.shape(s.objects[f.Ref])
	case CodecRef:
		return s.codecs[f.Ref].Form
	case EnumRef:
		var names []string
		for _, v := range s.enums[f.Ref].Values {
			names = append(names, v.Wire)
		}
		slices.Sort(names)
		return strings.Join(names, "|")
	}
	return string(f.Kind)
}
