package schema

import (
	"go/ast"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// resolve turns the collected declarations into enums and objects.
func (p *reader) resolve() {
	for _, s := range p.strTypes {
		values := p.consts[s.name]
		if len(values) == 0 {
			continue
		}
		e := &Enum{Name: s.name, Doc: s.doc, Values: values}
		s.family.Enums = append(s.family.Enums, e)
		p.schema.enums[s.name] = e
	}
	for _, r := range p.order {
		r.used = r.used || tagged(r.fields)
	}
	for _, r := range p.order {
		if !r.used {
			continue
		}
		r.object.Fields = p.fields(r.object, r.fields)
		r.family.Objects = append(r.family.Objects, r.object)
		p.schema.objects[r.object.Name] = r.object
	}
}

// tagged reports whether a field of the struct has a wire tag.
func tagged(fields *ast.FieldList) bool {
	return slices.ContainsFunc(fields.List, func(f *ast.Field) bool {
		_, ok := wireTag(f)
		return ok
	})
}

func wireTag(f *ast.Field) (string, bool) {
	if f.Tag == nil {
		return "", false
	}
	text, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return "", false
	}
	return reflect.StructTag(text).Lookup("wire")
}

func (p *reader) fields(owner *Object, list *ast.FieldList) []*Field {
	var out []*Field
	own := false
	for _, f := range list.List {
		if len(f.Names) == 0 {
			out = append(out, p.embedded(owner, f)...)
			continue
		}
		tag, ok := wireTag(f)
		name := f.Names[0].Name
		switch {
		case !ok || len(f.Names) != 1:
			p.complain(f, "%s.%s needs a wire tag of its own", owner.Name, name)
		case tag == "-":
			owner.Invalid = owner.Invalid || name == "Invalid"
		default:
			field := p.field(f, name, tag)
			field.Tolerant = field.Tolerant || owner.Tolerant
			own = own || !field.Top
			out = append(out, field)
		}
	}
	if own {
		owner.Same = ""
	}
	return out
}

// embedded returns the fields of an embedded struct as the owner's own.
func (p *reader) embedded(owner *Object, f *ast.Field) []*Field {
	id, ok := f.Type.(*ast.Ident)
	if !ok || p.raw[id.Name] == nil {
		p.complain(f, "%s embeds what is not a struct of the package", owner.Name)
		return nil
	}
	inner := p.raw[id.Name]
	owner.Tolerant = owner.Tolerant || inner.object.Tolerant
	owner.Check = owner.Check || inner.object.Check
	if owner.Same != "" {
		p.complain(f, "%s embeds two structs", owner.Name)
	}
	fields := p.fields(owner, inner.fields)
	owner.Same = id.Name
	return fields
}

func (p *reader) field(f *ast.Field, name, tag string) *Field {
	words := strings.Split(tag, ",")
	out := &Field{Name: name, Wire: words[0], Presence: Required, Doc: sentence(f.Doc.Text() + f.Comment.Text())}
	p.fieldType(out, f.Type)
	out.Limit = defaultLimit(out)
	for _, w := range words[1:] {
		switch w {
		case "omitempty":
			if out.Presence != Required {
				p.complain(f, "%s: omitempty beside Opt or Nullable", name)
			}
			out.Presence = OmitEmpty
		case "top":
			out.Top = true
		case "map":
			out.Map = true
		case "tolerant":
			out.Tolerant = true
		case "key", "text", "token", "ops":
			out.Limit = Limit(w)
		default:
			p.complain(f, "%s: unknown option %q", name, w)
		}
	}
	return out
}

func defaultLimit(f *Field) Limit {
	switch {
	case f.Kind == String:
		return LimitName
	case f.List:
		return LimitItems
	}
	return ""
}

// fieldType resolves a Go type to kind, reference, list and presence.
func (p *reader) fieldType(out *Field, typ ast.Expr) {
	switch typ := typ.(type) {
	case *ast.IndexExpr:
		generic, ok := typ.X.(*ast.Ident)
		switch {
		case ok && generic.Name == "Opt":
			out.Presence = Optional
		case ok && generic.Name == "Nullable":
			out.Presence = Nullable
		default:
			p.complain(typ, "%s: want Opt or Nullable", out.Name)
		}
		p.fieldType(out, typ.Index)
	case *ast.ArrayType:
		if id, ok := typ.Elt.(*ast.Ident); ok && id.Name == "byte" {
			out.Kind = Bytes
			return
		}
		out.List = true
		p.fieldType(out, typ.Elt)
	case *ast.SelectorExpr:
		p.selector(out, typ)
	case *ast.Ident:
		p.ident(out, typ)
	default:
		p.complain(typ, "%s: this type has no form on the wire", out.Name)
	}
}

func (p *reader) selector(out *Field, typ *ast.SelectorExpr) {
	pkg, _ := typ.X.(*ast.Ident)
	switch {
	case pkg != nil && pkg.Name == "value" && typ.Sel.Name == "Raw":
		out.Kind = Any
	case pkg != nil && pkg.Name == "hlc" && typ.Sel.Name == "Timestamp":
		out.Kind = Timestamp
	default:
		p.complain(typ, "%s: this type has no form on the wire", out.Name)
	}
}

func (p *reader) ident(out *Field, typ *ast.Ident) {
	kinds := map[string]Kind{"string": String, "bool": Bool, "int64": Int, "uint32": Hash, "float64": Number}
	if kind, ok := kinds[typ.Name]; ok {
		out.Kind = kind
		return
	}
	out.Ref = typ.Name
	switch {
	case p.schema.enums[typ.Name] != nil:
		out.Kind = EnumRef
	case p.schema.codecs[typ.Name] != nil:
		out.Kind = CodecRef
	case p.raw[typ.Name] != nil && p.raw[typ.Name].used:
		out.Kind = ObjectRef
	default:
		p.complain(typ, "%s: type %s is not part of the schema", out.Name, typ.Name)
	}
}
