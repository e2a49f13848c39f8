package schema_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
)

const source = `package wire

// Hello greets.
//
//wire:message HELLO payload c2s
type Hello struct {
	Name  string        ` + "`wire:\"name\"`" + ` // who greets
	Mood  Mood          ` + "`wire:\"mood,omitempty\"`" + `
	Items []Item        ` + "`wire:\"items\"`" + `
	When  hlc.Timestamp ` + "`wire:\"timestamp,omitempty,top\"`" + `
}

// Item is a thing.
type Item struct {
	Key   string    ` + "`wire:\"key,key\"`" + `
	Value value.Raw ` + "`wire:\"value\"`" + `
	Size  Opt[int64] ` + "`wire:\"size\"`" + `
}

// Mood is a mood.
type Mood string

const (
	Glad Mood = "GLAD" // smiles
	Sad  Mood = "SAD"
)

// helper is not part of the protocol.
type helper struct{ n int }

const other = "x"
`

func parse(t *testing.T, text string) (*schema.Schema, error) {
	t.Helper()
	return schema.Parse(fstest.MapFS{
		"hello.go":      {Data: []byte(text)},
		"hello_test.go": {Data: []byte("not Go")},
		"hello.gen.go":  {Data: []byte("not Go")},
	})
}

func mustParse(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	s := mustParse(t, source)
	if len(s.Families) != 1 || s.Families[0].Name != "hello" || len(s.Families[0].Objects) != 2 {
		t.Fatalf("families: %+v", s.Families)
	}
	hello := s.Object("Hello")
	if m := hello.Message; m == nil || m.Type != "HELLO" || m.Layout != schema.Payload || m.Direction != "c2s" {
		t.Errorf("message: %+v", hello.Message)
	}
	if hello.Doc != "Hello greets." || hello.Fields[0].Doc != "who greets" {
		t.Errorf("comments: %q, %q", hello.Doc, hello.Fields[0].Doc)
	}
	want := []schema.Field{
		{Name: "Name", Wire: "name", Kind: schema.String, Presence: schema.Required, Limit: schema.LimitName, Doc: "who greets"},
		{Name: "Mood", Wire: "mood", Kind: schema.EnumRef, Ref: "Mood", Presence: schema.OmitEmpty},
		{Name: "Items", Wire: "items", Kind: schema.ObjectRef, Ref: "Item", List: true, Presence: schema.Required, Limit: schema.LimitItems},
		{Name: "When", Wire: "timestamp", Kind: schema.Timestamp, Presence: schema.OmitEmpty, Top: true},
	}
	for i, f := range hello.Fields {
		if *f != want[i] {
			t.Errorf("field %d:\n\t%+v\nwant\n\t%+v", i, *f, want[i])
		}
	}
	if size := s.Object("Item").Fields[2]; size.Presence != schema.Optional || size.Kind != schema.Int {
		t.Errorf("size: %+v", size)
	}
	if e := s.Enum("Mood"); len(e.Values) != 2 || e.Values[0] != (schema.EnumValue{Name: "Glad", Wire: "GLAD", Doc: "smiles"}) {
		t.Errorf("enum: %+v", e)
	}
	if s.Object("helper") != nil {
		t.Error("helper became part of the protocol")
	}
}

// TestMinSize counts the bytes of the smallest item: a map of two fields, with
// the name and a value of one byte for the one that cannot be left out.
func TestMinSize(t *testing.T) {
	s := mustParse(t, source)
	if got, want := s.MinSize(s.Object("Item")), 1+len("-key-"); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if got, want := s.MinSize(s.Object("Hello")), 1+len("-name-")+len("-items-"); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestFingerprint: what peers can notice changes it, nothing else does.
func TestFingerprint(t *testing.T) {
	was := mustParse(t, source).Fingerprint()
	for _, c := range []struct {
		name, old, new string
		noticed        bool
	}{
		{"a comment", "who greets", "who says hello", false},
		{"a Go name", "Name  string ", "Title string ", false},
		{"the order of fields", "Key   string    `wire:\"key,key\"`\n\tValue value.Raw `wire:\"value\"`", "Value value.Raw `wire:\"value\"`\n\tKey   string    `wire:\"key,key\"`", false},
		{"a limit", `wire:"key,key"`, `wire:"key,text"`, false},
		{"a name on the wire", `wire:"name"`, `wire:"title"`, true},
		{"a type", "HELLO", "HALLO", true},
		{"a layout", "payload c2s", "body c2s", true},
		{"a direction", "payload c2s", "payload s2c", true},
		{"an optional payload", "payload c2s", "payload c2s optional-payload", true},
		{"a kind", "Name  string ", "Name  int64  ", true},
		{"a presence", `wire:"name"`, `wire:"name,omitempty"`, true},
		{"a list", "Items []Item ", "Items Item   ", true},
		{"a field of an object inside", `wire:"size"`, `wire:"length"`, true},
		{"a name of a closed set", `"SAD"`, `"ANGRY"`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(source, c.old, c.new, 1)
			if text == source {
				t.Fatalf("%q is not in the source", c.old)
			}
			if strings.Contains(c.new, "body") || strings.Contains(c.new, "optional-payload") {
				text = strings.Replace(text, ",top", "", 1)
			}
			if now := mustParse(t, text).Fingerprint(); (now != was) != c.noticed {
				t.Errorf("changed: %t, want %t", now != was, c.noticed)
			}
		})
	}
}

// TestComplaints: sources that would not work on the wire are refused with a
// sentence that names the place.
func TestComplaints(t *testing.T) {
	message := func(directive, fields string) string {
		return "package wire\n\n//wire:message " + directive + "\ntype M struct {\n" + strings.ReplaceAll(fields, "'", "`") + "\n}\n"
	}
	for _, c := range []struct{ name, source, want string }{
		{"a field without a tag", message("M flat c2s", "A string 'wire:\"a\"'\nB string"), "M.B needs a wire tag"},
		{"a type without a form", message("M flat c2s", "A chan int 'wire:\"a\"'"), "no form on the wire"},
		{"a type of another package", message("M flat c2s", "A time.Time 'wire:\"a\"'"), "no form on the wire"},
		{"a type that is not there", message("M flat c2s", "A Missing 'wire:\"a\"'"), "Missing is not part of the schema"},
		{"an unknown generic", message("M flat c2s", "A Maybe[string] 'wire:\"a\"'"), "want Opt or Nullable"},
		{"an unknown option", message("M flat c2s", "A string 'wire:\"a,tiny\"'"), `unknown option "tiny"`},
		{"an unknown layout", message("M round c2s", "A string 'wire:\"a\"'"), `unknown layout "round"`},
		{"an unknown direction", message("M flat up", "A string 'wire:\"a\"'"), `unknown direction "up"`},
		{"an unknown directive", "package wire\n\n//wire:massage M flat c2s\ntype M struct {\nA string `wire:\"a\"`\n}\n", "unknown directive //wire:massage"},
		{"half a directive", message("M flat", "A string 'wire:\"a\"'"), "want //wire:message TYPE layout direction"},
		{"two fields of one name", message("M flat c2s", "A string 'wire:\"a\"'\nB string 'wire:\"a\"'"), `two fields "a"`},
		{"a field named type", message("M flat c2s", "A string 'wire:\"type\"'"), "collides"},
		{"a long name", message("M flat c2s", "A string 'wire:\"abcdefghijklmnopqrstuvwxyzabcdef\"'"), "1 to 31 bytes"},
		{"a field at the top of a flat message", message("M flat c2s", "A string 'wire:\"a,omitempty,top\"'"), "only a payload message"},
		{"a required field at the top", message("M payload c2s", "A string 'wire:\"a,top\"'"), "must be optional"},
		{"tolerance without a place", message("M flat c2s", "A string 'wire:\"a,tolerant\"'"), "no field Invalid"},
		{"a list that tells absent from empty", message("M flat c2s", "A Opt[[]string] 'wire:\"a\"'"), "required or omitempty"},
		{"a list of numbers", message("M flat c2s", "A []int64 'wire:\"a\"'"), "no lists of int"},
		{"a nullable that is no object", message("M flat c2s", "A Nullable[string] 'wire:\"a\"'"), "only objects are nullable"},
		{"a map that is no Raw", message("M flat c2s", "A string 'wire:\"a,omitempty,map\"'"), "required to be a map"},
		{"an object that contains itself", message("M flat c2s", "A Opt[M] 'wire:\"a\"'"), "contains itself"},
		{"a type twice", message("M flat c2s", "A string 'wire:\"a\"'") + "\n//wire:message M flat c2s\ntype N struct{}\n", "defined twice"},
		{"what does not parse", "package wire\nfunc {", "expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(t, c.source)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
