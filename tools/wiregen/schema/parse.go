package schema

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Parse reads the Go files at the top of fsys, tests and generated files left
// out. The error lists every complaint.
func Parse(fsys fs.FS) (*Schema, error) {
	names, err := fs.Glob(fsys, "*.go")
	if err != nil {
		return nil, err
	}
	p := &reader{
		fset:   token.NewFileSet(),
		raw:    map[string]*rawStruct{},
		consts: map[string][]EnumValue{},
		schema: &Schema{objects: map[string]*Object{}, enums: map[string]*Enum{}, codecs: map[string]*Codec{}},
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".gen.go") {
			continue
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(p.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.file(strings.TrimSuffix(path.Base(name), ".go"), file)
	}
	p.resolve()
	p.check()
	return p.schema, p.complaints.err()
}

// reader collects declarations first, so that a field may name a type of a
// later file.
type reader struct {
	fset       *token.FileSet
	schema     *Schema
	raw        map[string]*rawStruct
	order      []*rawStruct
	consts     map[string][]EnumValue // by type
	strTypes   []*rawString
	complaints complaints
}

// rawStruct is a struct whose fields are not resolved yet.
type rawStruct struct {
	object *Object
	family *Family
	fields *ast.FieldList
	used   bool // has a wire tag or directive
}

// rawString is a string type, an enum if it has constants.
type rawString struct {
	name, doc string
	family    *Family
}

func (p *reader) complain(at ast.Node, format string, args ...any) {
	p.complaints.add(p.fset.Position(at.Pos()).String()+": "+format, args...)
}

func (p *reader) file(name string, file *ast.File) {
	family := &Family{Name: name}
	for _, decl := range file.Decls {
		decl, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				doc := spec.Doc
				if doc == nil {
					doc = decl.Doc
				}
				p.typeSpec(family, spec, doc)
			case *ast.ValueSpec:
				p.constant(decl, spec)
			}
		}
	}
	p.schema.Families = append(p.schema.Families, family)
}

func (p *reader) constant(decl *ast.GenDecl, spec *ast.ValueSpec) {
	typ, ok := spec.Type.(*ast.Ident)
	if decl.Tok != token.CONST || !ok || len(spec.Values) != 1 {
		return
	}
	lit, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		p.complain(lit, "%v", err)
		return
	}
	p.consts[typ.Name] = append(p.consts[typ.Name], EnumValue{
		Name: spec.Names[0].Name, Wire: text, Doc: sentence(spec.Comment.Text()),
	})
}

func (p *reader) typeSpec(family *Family, spec *ast.TypeSpec, doc *ast.CommentGroup) {
	name, text := spec.Name.Name, sentence(doc.Text())
	directives := directivesOf(doc)
	if form, ok := directives["codec"]; ok {
		_, slice := spec.Type.(*ast.ArrayType)
		c := &Codec{Name: name, Doc: text, Form: form, Slice: slice}
		family.Codecs = append(family.Codecs, c)
		p.schema.codecs[name] = c
		return
	}
	switch typ := spec.Type.(type) {
	case *ast.Ident:
		if typ.Name == "string" {
			p.strTypes = append(p.strTypes, &rawString{name: name, doc: text, family: family})
		}
	case *ast.StructType:
		if spec.TypeParams != nil {
			return
		}
		r := &rawStruct{object: &Object{Name: name, Doc: text}, family: family, fields: typ.Fields}
		p.directives(spec, r, directives)
		p.raw[name] = r
		p.order = append(p.order, r)
	}
}

// directives applies the //wire: lines of a struct.
func (p *reader) directives(at ast.Node, r *rawStruct, directives map[string]string) {
	for key, text := range directives {
		switch key {
		case "message":
			r.used = true
			r.object.Message = p.message(at, text)
		case "tolerant":
			r.object.Tolerant = true
		case "check":
			r.object.Check = true
		case "pooled":
			r.object.Pooled = true
		default:
			p.complain(at, "unknown directive //wire:%s", key)
		}
	}
}

func (p *reader) message(at ast.Node, text string) *Message {
	words := strings.Fields(text)
	if len(words) < 3 {
		p.complain(at, "want //wire:message TYPE layout direction")
		return nil
	}
	m := &Message{Type: words[0], Layout: Layout(words[1]), Direction: words[2]}
	for _, w := range words[3:] {
		if w != "optional-payload" {
			p.complain(at, "unknown word %q", w)
		}
		m.OptionalPayload = true
	}
	if !slices.Contains([]Layout{Flat, Payload, Body}, m.Layout) {
		p.complain(at, "unknown layout %q", m.Layout)
	}
	if !slices.Contains([]string{"c2s", "s2c", "s2s", "both"}, m.Direction) {
		p.complain(at, "unknown direction %q", m.Direction)
	}
	return m
}

// directivesOf returns the //wire: lines of a comment by their first word.
func directivesOf(doc *ast.CommentGroup) map[string]string {
	out := map[string]string{}
	if doc == nil {
		return out
	}
	for _, c := range doc.List {
		if line, ok := strings.CutPrefix(c.Text, "//wire:"); ok {
			key, rest, _ := strings.Cut(line, " ")
			out[key] = strings.TrimSpace(rest)
		}
	}
	return out
}

// sentence returns comment text as one line.
func sentence(text string) string { return strings.Join(strings.Fields(text), " ") }

// complaints collects what is wrong with the sources.
type complaints []string

func (c *complaints) add(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

func (c complaints) err() error {
	if len(c) == 0 {
		return nil
	}
	slices.Sort(c)
	return fmt.Errorf("wire schema:\n\t%s", strings.Join(c, "\n\t"))
}
