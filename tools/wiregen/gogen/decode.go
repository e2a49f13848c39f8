package gogen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
)

// frameDecoder writes the way through the top level of a payload message with
// fields there.
func (g *writer) frameDecoder(o *schema.Object) {
	g.p("func (m *%s) decodeFrame(d *decoder) {", o.Name)
	g.p("var seen uint32")
	g.p("for range d.MapHeader() {\nkey := d.Str()\nswitch key {")
	g.p("case \"payload\":")
	g.once(0)
	g.p("m.decode(d)")
	g.p("if d.Err() != nil {\nreturn // the path of a field leaves the payload out\n}")
	for i, f := range topFields(o) {
		g.p("case %q:", f.Wire)
		g.once(i + 1)
		g.readField(f)
	}
	g.p("default:\nd.Skip()\n}")
	g.p("if d.Err() != nil {\nd.at(key)\nreturn\n}\n}")
	g.p("if d.Err() == nil && seen&1 == 0 {\nd.missing(\"payload\")\n}\n}\n")
}

func topFields(o *schema.Object) []*schema.Field {
	return slices.DeleteFunc(slices.Clone(o.Fields), func(f *schema.Field) bool { return !f.Top })
}

// ownFields returns the fields inside the object, the required ones first so
// that their bits are the lowest.
func ownFields(o *schema.Object) (fields []*schema.Field, required []string) {
	var optional []*schema.Field
	for _, f := range o.Fields {
		switch {
		case f.Top:
		case needed(f):
			fields = append(fields, f)
			required = append(required, f.Wire)
		default:
			optional = append(optional, f)
		}
	}
	return append(fields, optional...), required
}

// needed reports whether an object without the field is refused. A value of any
// kind that is absent counts as nil.
func needed(f *schema.Field) bool {
	return f.Presence == schema.Required && (f.Kind != schema.Any || f.List)
}

// decoder writes the method that reads an object.
func (g *writer) decoder(o *schema.Object) {
	fields, required := ownFields(o)
	missing := "fieldsOf" + o.Name
	if len(required) > 1 {
		g.p("var %s = [...]string{%s}\n", missing, quoteAll(required))
	}
	g.p("func (m *%s) decode(d *decoder) {", o.Name)
	if o.Tolerant {
		g.p("start := d.pos")
	}
	if len(fields) == 0 {
		g.p("for range d.MapHeader() {\nkey := d.Str()\nd.Skip()\nif d.Err() != nil {\nd.at(key)\nreturn\n}\n}\n}\n")
		return
	}
	g.p("var seen uint32")
	g.p("for range d.MapHeader() {\nkey := d.Str()")
	g.fieldSwitch(o, fields)
	g.p("}")
	if o.Tolerant {
		g.p("if d.Err() != nil {\nm.Invalid = d.take(start)\nreturn\n}\nend := d.pos")
	}
	g.requireAll(o, required, missing)
	if o.Check {
		g.p("if d.Err() == nil {\nm.check(d)\n}")
	}
	if o.Tolerant {
		g.p("if d.Err() != nil {\nd.refuse(&m.Invalid, end)\n}")
	}
	g.p("}\n")
}

// requireAll writes the test for required fields. A tolerant object that has a
// problem already keeps that one.
func (g *writer) requireAll(o *schema.Object, required []string, missing string) {
	test := "d.Err() == nil"
	if o.Tolerant {
		test = "m.Invalid == nil"
	}
	switch n := len(required); n {
	case 0:
	case 1:
		g.p("if %s && seen&1 == 0 {\nd.missing(%q)\n}", test, required[0])
	default:
		g.p("if miss := %#x &^ seen; miss != 0 && %s {", 1<<n-1, test)
		g.p("d.missing(%s[bits.TrailingZeros32(miss)])\n}", missing)
	}
}

// fieldSwitch writes the body of the loop over the fields.
func (g *writer) fieldSwitch(o *schema.Object, fields []*schema.Field) {
	if o.Invalid {
		g.p("if d.Err() != nil {\nbreak\n}\nat := d.pos")
	}
	if o.Invalid && !o.Tolerant {
		g.p("tolerant := false")
	}
	g.p("switch key {")
	for i, f := range fields {
		g.p("case %q:", f.Wire)
		if f.Tolerant && !o.Tolerant {
			g.p("tolerant = true")
		}
		g.once(i)
		g.readField(f)
	}
	g.p("default:\nd.Skip()\n}")
	if !o.Invalid {
		g.p("if d.Err() != nil {\nd.at(key)\nreturn\n}")
		return
	}
	g.p("if d.Err() == nil {\ncontinue\n}")
	if o.Tolerant {
		g.p("d.tolerate(&m.Invalid, at, key)")
		return
	}
	g.p("if !tolerant {\nd.at(key)\nreturn\n}\nd.tolerate(&m.Invalid, at, key)")
}

// once writes the test that a field comes once.
func (g *writer) once(bit int) {
	g.p("if seen&%#x != 0 {\nd.again()\nbreak\n}\nseen |= %#x", uint32(1)<<bit, uint32(1)<<bit)
}

// readField writes the statements that read a field's value.
func (g *writer) readField(f *schema.Field) {
	target := "m." + f.Name
	switch f.Presence {
	case schema.Required:
		g.read(f, target)
	case schema.OmitEmpty:
		g.p("if !d.Nil() {")
		g.read(f, target)
		g.p("}")
	case schema.Optional:
		g.p("if !d.Nil() {\n%s.Set = true", target)
		g.read(f, target+".Value")
		g.p("}")
	case schema.Nullable:
		g.p("if d.Nil() {\n%s.State = Nil\n} else {\n%s.State = Present", target, target)
		g.read(f, target+".Value")
		g.p("}")
	}
}

// read writes the statements that read a value that is there.
func (g *writer) read(f *schema.Field, target string) {
	if !f.List {
		g.readOne(f, target)
		return
	}
	switch f.Kind {
	case schema.String:
		g.p("%s = d.texts(%s)", target, limit(f.Limit))
	case schema.Any:
		g.p("%s = d.raws()", target)
	case schema.EnumRef:
		g.p("%s = make([]%s, d.list(%s, 1))", target, f.Ref, limit(f.Limit))
		g.readElements(f, target)
	case schema.ObjectRef:
		g.p("%s = sized(%s, d.list(%s, %d))", target, target, limit(f.Limit), g.schema.MinSize(g.schema.Object(f.Ref)))
		g.readElements(f, target)
	}
}

func (g *writer) readElements(f *schema.Field, target string) {
	g.p("for i := range %s {", target)
	g.readOne(f, target+"[i]")
	g.p("if d.Err() != nil {\nd.atIndex(i)\nbreak\n}\n}")
}

// readOne writes the statement that reads one value.
func (g *writer) readOne(f *schema.Field, target string) {
	calls := map[schema.Kind]string{
		schema.Bool: "Bool()", schema.Int: "int()", schema.Hash: "hash()", schema.Number: "number()",
		schema.Any: "Raw()", schema.Bytes: "Bytes()", schema.Timestamp: "timestamp()",
	}
	switch {
	case f.Kind == schema.ObjectRef || f.Kind == schema.CodecRef:
		g.p("%s.decode(d)", target)
	case f.Kind == schema.EnumRef:
		g.p("%s = read%s(d)", target, f.Ref)
	case f.Kind == schema.String:
		g.p("%s = d.str(%s)", target, limit(f.Limit))
	case f.Map:
		g.p("%s = d.mapRaw()", target)
	default:
		g.p("%s = d.%s", target, calls[f.Kind])
	}
}

func limit(l schema.Limit) string {
	fields := map[schema.Limit]string{
		schema.LimitName: "NameBytes", schema.LimitKey: "KeyBytes", schema.LimitToken: "TokenBytes",
		schema.LimitText: "TextBytes", schema.LimitOps: "Ops", schema.LimitItems: "Items",
	}
	return "d.lim." + fields[l]
}

// enum writes the function that reads a name of a closed set.
func (g *writer) enum(e *schema.Enum) {
	g.p("func read%s(d *decoder) %s {\nswitch d.Str() {", e.Name, e.Name)
	var names []string
	for _, v := range e.Values {
		g.p("case %q:\nreturn %s", v.Wire, v.Name)
		names = append(names, v.Wire)
	}
	g.p("}\nd.invalid(%q)\nreturn \"\"\n}\n", "want one of "+strings.Join(names, ", "))
}

func quoteAll(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%q", n))
	}
	return strings.Join(out, ", ")
}
