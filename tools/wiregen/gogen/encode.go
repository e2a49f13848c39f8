package gogen

import "github.com/topgunbuild/topgun-go/tools/wiregen/schema"

// maxFixMap is the largest count whose map header is one byte.
const maxFixMap = 15

// frameEncoder writes AppendTo. "type" comes first in every frame.
func (g *writer) frameEncoder(o *schema.Object) {
	g.p("// AppendTo appends the encoded message to dst.")
	g.p("func (m *%s) AppendTo(dst []byte) []byte {", o.Name)
	switch o.Message.Layout {
	case schema.Body:
		g.p("return m.appendTo(dst)")
	case schema.Flat:
		g.count(1, o.Fields)
		g.emitStr("type", o.Message.Type)
		g.p("return m.appendFields(dst)")
	case schema.Payload:
		top := topFields(o)
		g.count(2, top)
		g.emitStr("type", o.Message.Type)
		g.fieldWriters(top)
		g.emitStr("payload")
		g.p("return m.appendTo(dst)")
	}
	g.p("}\n")
}

// encoder writes appendTo, or appendFields for a flat message.
func (g *writer) encoder(o *schema.Object) {
	var fields []*schema.Field
	for _, f := range o.Fields {
		if !f.Top {
			fields = append(fields, f)
		}
	}
	if o.Message != nil && o.Message.Layout == schema.Flat {
		g.p("func (m *%s) appendFields(dst []byte) []byte {", o.Name)
	} else {
		g.p("func (m *%s) appendTo(dst []byte) []byte {", o.Name)
		g.count(0, fields)
	}
	g.fieldWriters(fields)
	g.p("return dst\n}\n")
}

// count writes the header of a map with fixed fields and others that may be
// absent.
func (g *writer) count(fixed int, fields []*schema.Field) {
	var optional []*schema.Field
	for _, f := range fields {
		if f.Presence == schema.Required {
			fixed++
		} else {
			optional = append(optional, f)
		}
	}
	if len(optional) == 0 && fixed <= maxFixMap {
		g.emit(0x80 | byte(fixed))
		return
	}
	g.p("n := %d", fixed)
	for _, f := range optional {
		g.p("n += one(%s)", g.present(f))
	}
	g.p("dst = value.AppendMap(dst, n)")
}

// present is the condition under which an optional field is encoded.
func (g *writer) present(f *schema.Field) string {
	target := "m." + f.Name
	switch {
	case f.Presence == schema.Optional:
		return target + ".Set"
	case f.Presence == schema.Nullable:
		return target + ".State != Absent"
	case f.List || f.Kind == schema.Bytes || f.Kind == schema.CodecRef:
		return "len(" + target + ") > 0"
	}
	switch f.Kind {
	case schema.Bool:
		return target
	case schema.Any:
		return "!absent(" + target + ")"
	case schema.Timestamp:
		return "!" + target + ".IsZero()"
	case schema.String, schema.EnumRef:
		return target + ` != ""`
	}
	return target + " != 0"
}

func (g *writer) fieldWriters(fields []*schema.Field) {
	for _, f := range fields {
		if f.Presence == schema.Required {
			g.write(f, "m."+f.Name)
			continue
		}
		g.p("if %s {", g.present(f))
		switch f.Presence {
		case schema.Optional:
			g.write(f, "m."+f.Name+".Value")
		case schema.Nullable:
			g.emitStr(f.Wire)
			g.p("if m.%s.State == Nil {\ndst = value.AppendNil(dst)\n} else {", f.Name)
			g.writeOne(f, "m."+f.Name+".Value")
			g.p("}")
		default:
			g.write(f, "m."+f.Name)
		}
		g.p("}")
	}
}

// write writes the statements that append a field's name and value.
func (g *writer) write(f *schema.Field, source string) {
	g.emitStr(f.Wire)
	if !f.List {
		g.writeOne(f, source)
		return
	}
	g.p("dst = value.AppendArray(dst, len(%s))", source)
	g.p("for i := range %s {", source)
	g.writeOne(f, source+"[i]")
	g.p("}")
}

func (g *writer) writeOne(f *schema.Field, source string) {
	calls := map[schema.Kind]string{
		schema.String: "value.AppendStr(dst, %s)", schema.Bool: "value.AppendBool(dst, %s)",
		schema.Int: "value.AppendInt(dst, %s)", schema.Hash: "value.AppendUint(dst, uint64(%s))",
		schema.Number: "value.AppendNumber(dst, %s)", schema.Any: "appendRaw(dst, %s)",
		schema.Bytes: "value.AppendBin(dst, %s)", schema.Timestamp: "appendTimestamp(dst, %s)",
		schema.EnumRef: "value.AppendStr(dst, string(%s))",
	}
	if call, ok := calls[f.Kind]; ok {
		g.p("dst = "+call, source)
		return
	}
	g.p("dst = %s.appendTo(dst)", source)
}
