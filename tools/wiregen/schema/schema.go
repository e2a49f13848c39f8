// Package schema is the model of the wire protocol that generators work from:
// what the structs of internal/core/wire say, without anything about the
// language that is generated.
//
// Parse reads the structs, Fingerprint condenses what a peer can notice.
package schema

// Schema is the whole protocol.
type Schema struct {
	Families []*Family // by name

	objects map[string]*Object
	enums   map[string]*Enum
	codecs  map[string]*Codec
}

// Family is what one source file defines.
type Family struct {
	Name    string // of the file, without extension
	Objects []*Object
	Enums   []*Enum
	Codecs  []*Codec
}

// Object is a map with known fields: a message, or an object inside one.
type Object struct {
	Name    string // of the struct
	Doc     string
	Message *Message // nil for an object inside a message
	Fields  []*Field
	Same    string // object whose fields it has, apart from those at the top; "" if it has its own

	Tolerant bool // the object as a whole keeps its problem in Invalid
	Invalid  bool // the struct has a place for a problem
	Check    bool // a method checks the decoded object

	// Pooled says that decoding takes the struct from a pool of the package.
	Pooled bool
}

// Message makes an object a message of its own.
type Message struct {
	Type            string
	Layout          Layout
	Direction       string // c2s, s2c, s2s or both
	OptionalPayload bool
}

// Layout says where the fields of a message lie.
type Layout string

// The layouts.
const (
	Flat    Layout = "flat"    // beside "type"
	Payload Layout = "payload" // in a map named "payload"
	Body    Layout = "body"    // in a document without "type"
)

// Field is one field of an object.
type Field struct {
	Name string // in the struct
	Wire string
	Doc  string

	Kind     Kind
	Ref      string // name of the object, enum or codec
	List     bool
	Presence Presence
	Limit    Limit // for strings and lists

	Map      bool // an Any that must be a map
	Top      bool // beside "type" although the layout is payload
	Tolerant bool // a problem with it is kept in Invalid
}

// Kind is the kind of a field's value, or of its elements.
type Kind string

// The kinds.
const (
	String    Kind = "string"
	Bool      Kind = "bool"
	Int       Kind = "int"    // not negative
	Hash      Kind = "u32"    // unsigned 32-bit integer
	Number    Kind = "number" // finite
	Any       Kind = "any"
	Bytes     Kind = "bytes"
	Timestamp Kind = "HLC"
	EnumRef   Kind = "enum"
	ObjectRef Kind = "object"
	CodecRef  Kind = "codec"
)

// Presence says what becomes of a field that is absent or nil.
type Presence string

// The presences.
const (
	Required  Presence = "required"
	OmitEmpty Presence = "omitempty" // the zero value means absent
	Optional  Presence = "optional"  // absent differs from the zero value
	Nullable  Presence = "nullable"  // absent, nil and a value differ
)

// Limit names the limit of a string or a list.
type Limit string

// The limits.
const (
	LimitName  Limit = "name"
	LimitKey   Limit = "key"
	LimitToken Limit = "token"
	LimitText  Limit = "text"
	LimitOps   Limit = "ops"
	LimitItems Limit = "items"
)

// Enum is a closed set of names.
type Enum struct {
	Name   string
	Doc    string
	Values []EnumValue
}

// EnumValue is one name of an enum.
type EnumValue struct {
	Name string // of the constant
	Wire string
	Doc  string
}

// Codec is a type that reads and writes itself.
type Codec struct {
	Name  string
	Doc   string
	Form  string // on the wire, for people
	Slice bool   // is empty if it has no elements
}

// Object returns the object of a name, nil if there is none.
func (s *Schema) Object(name string) *Object { return s.objects[name] }

// Enum returns the enum of a name, nil if there is none.
func (s *Schema) Enum(name string) *Enum { return s.enums[name] }

// Codec returns the codec of a name, nil if there is none.
func (s *Schema) Codec(name string) *Codec { return s.codecs[name] }

// Messages returns the objects that are frames, in the order of the families.
// HTTP bodies are not among them.
func (s *Schema) Messages() []*Object {
	var out []*Object
	for _, f := range s.Families {
		for _, o := range f.Objects {
			if o.Message != nil && o.Message.Layout != Body {
				out = append(out, o)
			}
		}
	}
	return out
}
