package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const coreTree = "internal/core"

// impure are the imports that core has no business with, each with the reason.
// A trailing slash stands for everything below.
var impure = map[string]string{
	"context":         "core never waits, so there is nothing to cancel",
	"crypto/rand":     "randomness is handed in (clock.Random)",
	"io/fs":           "core is given bytes",
	"io/ioutil":       "core is given bytes",
	"log":             "core returns errors and values; callers log",
	"log/":            "core returns errors and values; callers log",
	"math/rand":       "randomness is handed in (clock.Random)",
	"net":             "core is given bytes",
	"net/":            "core is given bytes",
	"os":              "core is given bytes",
	"os/":             "core is given bytes",
	"path/filepath":   "core is given bytes",
	"runtime/debug":   "core does not look at the process",
	"runtime/metrics": "core does not look at the process",
	"syscall":         "core is given bytes",
}

// clockNames are the names of package time that read or wait for the wall clock.
var clockNames = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// impurities returns what makes a file of core impure.
func impurities(f *goFile) []string {
	var found []string
	report := func(n ast.Node, format string, args ...any) {
		found = append(found, f.at(n)+": core "+fmt.Sprintf(format, args...))
	}
	for _, spec := range f.ast.Imports {
		imp := strings.Trim(spec.Path.Value, `"`)
		if why, bad := impureImport(imp); bad {
			report(spec, "imports %s: %s", imp, why)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if start, ok := goroutine(n); ok {
			report(start, "starts a goroutine: return what is to be done and let the caller do it")
		}
		switch pkg, name, _ := f.qualified(n); {
		case pkg == "time" && slices.Contains(clockNames, name):
			report(n, "reads the clock by time.%s: take the time as an argument", name)
		case pkg == "math/rand/v2" && name != "Rand" && name != "Source" && !strings.HasPrefix(name, "New"):
			report(n, "draws from the global source by rand.%s: take a source as an argument", name)
		}
		return true
	})
	return found
}

func impureImport(imp string) (why string, bad bool) {
	if why, bad = impure[imp]; bad {
		return why, true
	}
	for prefix, why := range impure {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(imp, prefix) {
			return why, true
		}
	}
	return "", false
}

// mutable returns the package-level variables that the files of one package
// change, and those of a kind that exists to be changed.
func mutable(files []*goFile) []string {
	vars := map[string]*ast.ValueSpec{}
	var found []string
	for _, f := range files {
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, s := range gen.Specs {
				spec, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				if kind := stateful(f, spec); kind != "" {
					found = append(found, fmt.Sprintf("%s: %s is a package-level %s: give the state an owner", f.at(spec), spec.Names[0].Name, kind))
				}
				for _, name := range spec.Names {
					vars[name.Name] = spec
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			for _, target := range targets(n) {
				id := base(target)
				if id == nil {
					continue
				}
				spec, isVar := vars[id.Name]
				if isVar && (id.Obj == nil || id.Obj.Decl == spec) {
					found = append(found, fmt.Sprintf("%s: changes the package-level variable %s: constants and tables may be global, state has an owner", f.at(n), id.Name))
				}
			}
			return true
		})
	}
	return found
}

// stateful names the kind of a variable that is declared in order to change.
func stateful(f *goFile, spec *ast.ValueSpec) string {
	kind := ""
	for _, n := range append([]ast.Expr{spec.Type}, spec.Values...) {
		if n == nil {
			continue
		}
		ast.Inspect(n, func(n ast.Node) bool {
			if _, isFunc := n.(*ast.FuncLit); isFunc {
				return false
			}
			if _, isChan := n.(*ast.ChanType); isChan {
				kind = "channel"
			}
			if pkg, name, _ := f.qualified(n); (pkg == "sync" && !strings.HasPrefix(name, "OnceValue")) || pkg == "sync/atomic" {
				kind = pkg + "." + name
			}
			return true
		})
	}
	return kind
}

// targets returns the expressions that n assigns to or takes the address of.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		// The address of an element is how a large table is read without a copy.
		if _, element := n.X.(*ast.IndexExpr); n.Op == token.AND && !element {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && fn.Obj == nil && len(n.Args) > 0 && (fn.Name == "delete" || fn.Name == "clear") {
			return n.Args[:1]
		}
	}
	return nil
}

// base returns the identifier that an expression such as a.b[c] begins with.
func base(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.StarExpr:
		return base(e.X)
	case *ast.ParenExpr:
		return base(e.X)
	}
	return nil
}

// TestCoreIsPure keeps internal/core free of I/O, goroutines, clocks, loggers
// and global state.
func TestCoreIsPure(t *testing.T) {
	packages := map[string][]*goFile{}
	for _, f := range allSources(t) {
		if f.below(coreTree) && !f.test() {
			packages[f.dir()] = append(packages[f.dir()], f)
		}
	}
	for _, files := range packages {
		for _, f := range files {
			for _, found := range impurities(f) {
				t.Error(found)
			}
		}
		for _, found := range mutable(files) {
			t.Error(found)
		}
	}
}

func TestPurityRuleFindsWhatItShould(t *testing.T) {
	f := snippet(t, "x.go", `package x
import (
	"math/rand/v2"
	"net/http"
	clock "time"
)
func f(time interface{ Now() }) {
	clock.Now()
	time.Now()
	_ = clock.Duration(1)
	go f(nil)
	rand.IntN(3)
	rand.New(rand.NewPCG(1, 2))
	var r *rand.Rand
	r.IntN(3)
}
`)
	same(t, "impurities", impurities(f), []string{
		"x.go:4: core imports net/http: core is given bytes",
		"x.go:8: core reads the clock by time.Now: take the time as an argument",
		"x.go:11: core starts a goroutine: return what is to be done and let the caller do it",
		"x.go:12: core draws from the global source by rand.IntN: take a source as an argument",
	})

	a := snippet(t, "a.go", `package x
import ("errors"; "sync")
var Err = errors.New("x")
var table = map[string]int{"a": 1}
var names = []string{"a"}
var pool sync.Pool
var lock = &sync.Mutex{}
var once = sync.OnceValue(func() int { return 1 })
var count, other int
var wake = make(chan int)
var fine = func() chan int { return make(chan int) }
func f(names []string) {
	table["b"] = 2
	names[0] = "mine"
	count := 3
	count++
	_ = count + other
}
`)
	b := snippet(t, "b.go", `package x
type s struct{ count int }
func g(v s) {
	count++
	v.count = 1
	(names)[0] = "b"
	delete(table, "a")
	p := &other
	_ = p
	for count = range names {}
	q := &names[0]
	_ = q
	_ = Err
}
`)
	changes := func(at, name string) string {
		return at + ": changes the package-level variable " + name + ": constants and tables may be global, state has an owner"
	}
	same(t, "mutable", mutable([]*goFile{a, b}), []string{
		"a.go:6: pool is a package-level sync.Pool: give the state an owner",
		"a.go:7: lock is a package-level sync.Mutex: give the state an owner",
		"a.go:10: wake is a package-level channel: give the state an owner",
		changes("a.go:13", "table"),
		changes("b.go:4", "count"),
		changes("b.go:6", "names"),
		changes("b.go:7", "table"),
		changes("b.go:8", "other"),
		changes("b.go:10", "count"),
	})
}
