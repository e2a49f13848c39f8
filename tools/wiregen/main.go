// Wiregen writes the decoders and encoders of internal/core/wire, the protocol
// reference in docs/protocol.md and the message types of the TypeScript client
// from the structs of that package.
//
//	go run ./tools/wiregen -root .
package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/tools/wiregen/docgen"
	"github.com/topgunbuild/topgun-go/tools/wiregen/gogen"
	"github.com/topgunbuild/topgun-go/tools/wiregen/schema"
	"github.com/topgunbuild/topgun-go/tools/wiregen/tsgen"
)

const (
	wireDir = "internal/core/wire"
	docFile = "docs/protocol.md"
	tsFile  = "clients/ts/packages/core/src/messages.gen.ts"
)

func main() {
	root := flag.String("root", ".", "root of the repository")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "wiregen:", err)
		os.Exit(1)
	}
}

// run brings the generated files up to date and removes those of families that
// are gone. Files that are up to date are not touched.
func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, files[name]) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	stale, err := leftovers(root, files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// generate returns all generated files by their path below root.
func generate(root string) (map[string][]byte, error) {
	s, err := schema.Parse(os.DirFS(filepath.Join(root, wireDir)))
	if err != nil {
		return nil, err
	}
	code, err := gogen.Generate(s)
	if err != nil {
		return nil, err
	}
	types, err := tsgen.Generate(s)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{docFile: docgen.Generate(s), tsFile: types}
	for name, text := range code {
		files[wireDir+"/"+name] = text
	}
	return files, nil
}

// leftovers returns generated files that are not among files any more.
func leftovers(root string, files map[string][]byte) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, wireDir))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := wireDir + "/" + e.Name()
		if _, ok := files[name]; !ok && strings.HasSuffix(name, ".gen.go") {
			out = append(out, name)
		}
	}
	return out, nil
}
