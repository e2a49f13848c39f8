package arch

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"regexp"
	"strings"
	"testing"
)

// ownerName matches functions that start goroutines and wait for them: that is
// what their callers expect of the name.
var ownerName = regexp.MustCompile(`^(main|([Rr]un|[Ss]erve|[Ss]tart)([A-Z0-9_].*)?)$`)

// excuse is the comment that permits a goroutine elsewhere. It names the
// function in which the owner waits for its end.
var excuse = regexp.MustCompile(`^//arch:goroutine .*waits in (\w+)`)

// goroutine returns the statement or call that starts a goroutine: a go
// statement, or the Go method of an errgroup or a WaitGroup.
func goroutine(n ast.Node) (ast.Node, bool) {
	switch n := n.(type) {
	case *ast.GoStmt:
		return n, true
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Go" || len(n.Args) != 1 {
			return nil, false
		}
		return n, true
	}
	return nil, false
}

// strays returns the goroutines of one package that have no visible owner.
func strays(files []*goFile) []string {
	funcs := map[string]bool{}
	for _, f := range files {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				funcs[fn.Name.Name] = true
			}
		}
	}
	var found []string
	for _, f := range files {
		excuses := excusesOf(f)
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || ownerName.MatchString(fn.Name.Name) {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				start, ok := goroutine(n)
				if !ok || waitedFor(fn, start) {
					return true
				}
				line := f.fset.Position(start.Pos()).Line
				waiter, excused := excuses[line]
				if !excused {
					waiter, excused = excuses[line-1]
				}
				switch {
				case !excused:
					found = append(found, fmt.Sprintf("%s: %s starts a goroutine: do it in a Run, Serve or Start method that returns when all have ended, wait for its group in the same function, or say who waits for it: //arch:goroutine <owner> waits in <function>", f.at(start), fn.Name.Name))
				case !funcs[waiter]:
					found = append(found, fmt.Sprintf("%s: the package has no function %s to wait in", f.at(start), waiter))
				}
				return true
			})
		}
	}
	return found
}

// waitedFor reports whether start is group.Go(…) in a function that calls
// group.Wait() too.
func waitedFor(fn *ast.FuncDecl, start ast.Node) bool {
	group := receiver(start, "Go")
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		found = found || (group != "" && receiver(n, "Wait") == group)
		return !found
	})
	return found
}

// receiver is the text of a in a.b.method(…), or nothing.
func receiver(n ast.Node, method string) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != method {
		return ""
	}
	return types.ExprString(sel.X)
}

// excusesOf returns the waiting function by the line of its comment.
func excusesOf(f *goFile) map[int]string {
	lines := map[int]string{}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if m := excuse.FindStringSubmatch(c.Text); m != nil {
				lines[f.fset.Position(c.Pos()).Line] = m[1]
			}
		}
	}
	return lines
}

// TestGoroutinesHaveAnOwner fails on a goroutine that nobody visibly waits for.
func TestGoroutinesHaveAnOwner(t *testing.T) {
	packages := map[string][]*goFile{}
	for _, f := range allSources(t) {
		// Suites for tests, such as backingtest, wait by means of the test.
		if !f.test() && !f.below(coreTree) && !strings.HasSuffix(path.Base(f.dir()), "test") {
			packages[f.dir()] = append(packages[f.dir()], f)
		}
	}
	for _, files := range packages {
		for _, found := range strays(files) {
			t.Error(found)
		}
	}
}

func TestGoroutineRuleFindsWhatItShould(t *testing.T) {
	f := snippet(t, "x.go", `package x
type owner struct{}
func (owner) Run() { go work() }
func runLoop() { go work() }
func Serve() { wg.Go(work) }
func running() { go work() }
func open() {
	defer func() { go work() }()
	group.Go(work)
	//arch:goroutine the owner waits in Close
	go work()
	go work() //arch:goroutine the owner waits in Closed
	//arch:goroutine trust me
	go work()
	board.Go(1, 2)
}
func (owner) Close() {}
func inside(parts sync.WaitGroup) {
	parts.Go(work)
	go func() { parts.Wait() }()
}
`)
	const advice = " starts a goroutine: do it in a Run, Serve or Start method that returns when all have ended, wait for its group in the same function, or say who waits for it: //arch:goroutine <owner> waits in <function>"
	same(t, "strays", strays([]*goFile{f}), []string{
		"x.go:6: running" + advice,
		"x.go:8: open" + advice,
		"x.go:9: open" + advice,
		"x.go:12: the package has no function Closed to wait in",
		"x.go:14: open" + advice,
		"x.go:20: inside" + advice,
	})
}
