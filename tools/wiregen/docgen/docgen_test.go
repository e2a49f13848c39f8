package docgen_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topgunbuild/topgun-go/tools/wiregen/docgen"
	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
)

func TestGenerate(t *testing.T) {
	s, err := schema.Parse(fstest.MapFS{"greeting.go": {Data: []byte(strings.ReplaceAll(`package wire

// Hello greets | waves.
//
//wire:message HELLO payload c2s optional-payload
type Hello struct {
	Name string         'wire:"name"'
	Mood Mood           'wire:"mood,omitempty"' // a|b
	Item Nullable[Item] 'wire:"item"'
	Rows []Item         'wire:"rows"'
	Doc  value.Raw      'wire:"doc,omitempty,map"'
}

// Item is a thing.
type Item struct {
	Key string 'wire:"key"'
}

// Mood is a mood.
type Mood string

const Glad Mood = "GLAD" // smiles
`, "'", "`"))}})
	if err != nil {
		t.Fatal(err)
	}
	text := string(docgen.Generate(s))
	for _, want := range []string{
		"\n## greeting\n",
		"\n| `HELLO` | c2s | payload? | `name`, `mood?`, `item?`, `rows`, `doc?` | Greets \\| waves. |\n",
		"\n**HELLO**\n",
		"\n| `name` | string |  |\n",
		"\n| `mood`? | Mood | a\\|b |\n",
		"\n| `item`? | Item\\|nil |  |\n",
		"\n| `rows` | Item[] |  |\n",
		"\n| `doc`? | map |  |\n",
		"\n**Item**\n\nItem is a thing.\n",
		"\n**Mood**: Mood is a mood.\n",
		"\n| `GLAD` | smiles |\n",
		"\n1 types: `HELLO`.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
