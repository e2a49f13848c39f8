package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	// root is the top of the repository, from here.
	root = "../.."
	// module is the import path of root.
	module = "github.com/topgunbuild/topgun-go"
)

// goFile is one parsed Go source file.
type goFile struct {
	path string // from the top of the repository, with slashes
	fset *token.FileSet
	ast  *ast.File
}

// dir is the package's directory, and its import path below the module.
func (f *goFile) dir() string { return path.Dir(f.path) }

func (f *goFile) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// below reports whether the file lies in tree or deeper.
func (f *goFile) below(tree string) bool { return strings.HasPrefix(f.path, tree+"/") }

// at is the place of a node, for messages.
func (f *goFile) at(n ast.Node) string {
	pos := f.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", f.path, pos.Line)
}

// imports returns the imported paths by the name they have in the file.
func (f *goFile) imports() map[string]string {
	names := map[string]string{}
	for _, spec := range f.ast.Imports {
		imp := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(imp)
		if major := strings.TrimPrefix(name, "v"); major != name && strings.Trim(major, "0123456789") == "" {
			name = path.Base(path.Dir(imp))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imp
	}
	return names
}

// qualified returns the import path and the name of a selector such as
// time.Now; ok is false when its left side is not an import.
func (f *goFile) qualified(n ast.Node) (pkg, name string, ok bool) {
	sel, isSel := n.(*ast.SelectorExpr)
	if !isSel {
		return "", "", false
	}
	x, isIdent := sel.X.(*ast.Ident)
	if !isIdent || x.Obj != nil {
		return "", "", false
	}
	pkg, ok = f.imports()[x.Name]
	return pkg, sel.Sel.Name, ok
}

func parse(name, text string) (*goFile, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &goFile{path: name, fset: fset, ast: tree}, nil
}

// snippet parses a file for the test of a rule.
func snippet(t *testing.T, name, text string) *goFile {
	t.Helper()
	f, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texts returns the contents of every file of the repository that is text, by
// path. Data of tests and what a build or a run leaves behind are not read.
var texts = sync.OnceValues(func() (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if skipped(rel, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !readable(d.Name()) {
			return nil
		}
		data, err := os.ReadFile(name)
		files[rel] = string(data)
		return err
	})
	return files, err
})

func skipped(rel, base string) bool {
	switch base {
	case "testdata", "node_modules", "dist":
		return true
	case "bin", "coverage", "topgun-data":
		return rel == base
	}
	return strings.HasPrefix(base, ".") && base != "." && base != ".." && base != ".ci"
}

func readable(base string) bool {
	switch path.Ext(base) {
	case ".go", ".md", ".txt", ".yml", ".yaml", ".ts", ".tsx", ".js", ".json", ".sh", ".mod":
		return true
	case "":
		return base == "Makefile" || base == "run"
	}
	return base == ".gitignore"
}

// sources returns every Go file of the repository, tests included.
var sources = sync.OnceValues(func() ([]*goFile, error) {
	all, err := texts()
	if err != nil {
		return nil, err
	}
	var files []*goFile
	for name, text := range all {
		if path.Ext(name) != ".go" {
			continue
		}
		f, err := parse(name, text)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
})

func allTexts(t *testing.T) map[string]string {
	t.Helper()
	all, err := texts()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func allSources(t *testing.T) []*goFile {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found: is the test run from its own directory?")
	}
	return files
}

// exists reports whether a path from the top of the repository is there.
func exists(rel string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(rel)))
	return err == nil
}

// same reports findings against what a rule should have found.
func same(t *testing.T, name string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}
