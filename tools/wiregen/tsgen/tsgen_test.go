package tsgen_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
	"github.com/topgunbuild/topgun-go/tools/wiregen/tsgen"
)

func parse(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(fstest.MapFS{"greeting.go": {Data: []byte("package wire\n" + strings.ReplaceAll(text, "'", "`"))}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGenerate(t *testing.T) {
	text, err := tsgen.Generate(parse(t, `
// Hello greets
// all.
//
//wire:message HELLO payload c2s optional-payload
type Hello struct {
	Name string         'wire:"name"'
	Mood Mood           'wire:"mood,omitempty"' // of the day
	Item Nullable[Item] 'wire:"item"'
	Rows []Item         'wire:"rows"'
	Doc  value.Raw      'wire:"doc,omitempty,map"'
}

// Later says when.
//
//wire:message LATER payload c2s
type Later struct {
	Why string             'wire:"why"'
	At  Opt[hlc.Timestamp] 'wire:"at,top"'
}

// Bye is flat.
//
//wire:message BYE flat both
type Bye struct {
	Data []byte 'wire:"data"'
}

// Rumour is not for clients.
//
//wire:message RUMOUR flat s2s
type Rumour struct {
	Secret Secret 'wire:"secret"'
}

// Secret is not for clients.
type Secret struct {
	Key string 'wire:"key"'
}

// Item is a thing.
type Item struct {
	Key string 'wire:"key"'
}

// Mood is a mood.
type Mood string

const (
	Glad Mood = "GLAD"
	Sad  Mood = "SAD"
)
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n/** Hello greets all. */\nexport interface Hello {\n  readonly type: 'HELLO';\n  readonly payload?: {\n    readonly name: string;\n",
		"\n    /** of the day */\n    readonly mood?: Mood;\n",
		"\n    readonly item?: Item | null;\n    readonly rows: readonly Item[];\n",
		"\n    readonly doc?: { readonly [name: string]: Value };\n  };\n}\n",
		"\n    readonly why: string;\n  };\n  readonly at?: Timestamp;\n}\n",
		"\nexport interface Bye {\n  readonly type: 'BYE';\n  readonly data: Uint8Array;\n}\n",
		"\nexport type Mood = 'GLAD' | 'SAD';\n",
		"\nexport type ClientMessage =\n  | Bye\n  | Hello\n  | Later;\n",
		"\nexport type ServerMessage =\n  | Bye;\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{"RUMOUR", "Secret"} {
		if strings.Contains(string(text), not) {
			t.Errorf("%q is in\n%s", not, text)
		}
	}
}

func TestACodecNeedsAForm(t *testing.T) {
	_, err := tsgen.Generate(parse(t, `
// Odd writes itself.
//
//wire:codec {anything}
type Odd struct{}

// Hello greets.
//
//wire:message HELLO flat c2s
type Hello struct {
	Odd Odd 'wire:"odd"'
}
`))
	if err == nil || !strings.Contains(err.Error(), "codec Odd") {
		t.Errorf("got %v, want an error that names the codec", err)
	}
}
