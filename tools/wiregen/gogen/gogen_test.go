package gogen_test

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/tools/wiregen/gogen"
	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
)

// TestGenerate shows what is written for a schema with one field of every
// shape, in testdata/in, as one text.
func TestGenerate(t *testing.T) {
	s, err := schema.Parse(os.DirFS("testdata/in"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := gogen.Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text.WriteString("== " + name + "\n")
		text.Write(files[name])
	}
	const golden = "testdata/out.txt"
	if os.Getenv("GOLDEN") == "write" {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), want) {
		t.Errorf("generated code differs from %s; if it is meant: make golden PKG=./tools/wiregen/gogen, and read the difference", golden)
	}
}
