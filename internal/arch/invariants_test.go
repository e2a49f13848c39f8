package arch

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

const (
	invariantsFile = "INVARIANTS.md"
	provenHeading  = "## Proven"
	openHeading    = "## Not proven yet"
)

// invariant is one row of INVARIANTS.md.
type invariant struct {
	id      string
	line    int
	proven  bool
	promise string
	keepers []string // paths from the top of the repository
	proof   string   // last column: tests, or what is missing
}

var (
	invariantID = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)+$`)
	quoted      = regexp.MustCompile("`([^`]+)`")
	testRef     = regexp.MustCompile(`^([\w./-]+)\.((?:Test|Fuzz|Example)\w*)$`)
)

// parseInvariants reads the tables of both sections.
func parseInvariants(text string) []invariant {
	var rows []invariant
	section := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			section = line
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "id" || strings.HasPrefix(cells[0], "-") {
			continue
		}
		rows = append(rows, invariant{
			id: cells[0], line: n, proven: section == provenHeading, promise: cells[1],
			keepers: unquote(cells[2]), proof: cells[3],
		})
	}
	return rows
}

func unquote(cell string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// unproven returns what is wrong with the rows, given the tests that exist, as
// "directory.TestName", and a way to see whether a path exists.
func unproven(rows []invariant, tests map[string]bool, exists func(string) bool) []string {
	var found []string
	seen := map[string]bool{}
	for _, r := range rows {
		report := func(format string, args ...any) {
			found = append(found, fmt.Sprintf("%s:%d: %s ", invariantsFile, r.line, r.id)+fmt.Sprintf(format, args...))
		}
		if !invariantID.MatchString(r.id) {
			report("is not an id such as ACK-DURABLE")
		}
		if seen[r.id] {
			report("stands twice: give one of the two another id")
		}
		seen[r.id] = true
		if len(r.keepers) == 0 {
			report("has no keeper: name the package or file that keeps it, as `internal/…`")
		}
		if !r.proven {
			if len(r.proof) < 10 {
				report("does not say what its proof needs")
			}
			continue
		}
		for _, k := range r.keepers {
			if !exists(k) {
				report("is kept by %s, which is not there: name what keeps it now", k)
			}
		}
		refs := unquote(r.proof)
		if len(refs) == 0 {
			report("names no test: name one as `internal/….TestName`, or move the row to %q", openHeading)
		}
		for _, ref := range refs {
			switch {
			case !testRef.MatchString(ref):
				report("names %s, which is not written as `directory.TestName`", ref)
			case !tests[ref]:
				report("is proven by %s, which is gone: name the test that proves it now, or move the row to %q", ref, openHeading)
			}
		}
	}
	return found
}

// allTests returns the test functions of the repository.
func allTests(files []*goFile) map[string]bool {
	tests := map[string]bool{}
	for _, f := range files {
		if !f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[f.dir()+"."+fn.Name.Name] = true
			}
		}
	}
	return tests
}

// TestInvariantsAreProven fails when a row of INVARIANTS.md names a test or a
// keeper that is not there.
func TestInvariantsAreProven(t *testing.T) {
	text := allTexts(t)[invariantsFile]
	for _, heading := range []string{provenHeading, openHeading} {
		if !strings.Contains(text, "\n"+heading+"\n") {
			t.Errorf("%s has no section %q", invariantsFile, heading)
		}
	}
	rows := parseInvariants(text)
	if len(rows) < 30 {
		t.Errorf("%s has %d rows; the promises are more than that", invariantsFile, len(rows))
	}
	for _, found := range unproven(rows, allTests(allSources(t)), exists) {
		t.Error(found)
	}
}

// TestMentionedInvariantsExist fails when a comment names an invariant that
// INVARIANTS.md does not have.
func TestMentionedInvariantsExist(t *testing.T) {
	known := map[string]bool{}
	for _, r := range parseInvariants(allTexts(t)[invariantsFile]) {
		known[r.id] = true
	}
	for _, f := range allSources(t) {
		for _, found := range unknownIDs(f, known) {
			t.Error(found)
		}
	}
}

// mention matches what looks like the id of an invariant in a comment.
var mention = regexp.MustCompile(`\b[A-Z]{3,}(-[A-Z]{2,})+\b`)

// unknownIDs returns the ids in the comments of f that are not known.
func unknownIDs(f *goFile, known map[string]bool) []string {
	var found []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			for _, id := range mention.FindAllString(c.Text, -1) {
				if !known[id] {
					found = append(found, fmt.Sprintf("%s: names %s, which %s does not have: add the row, or write it in small letters if it is no invariant", f.at(c), id, invariantsFile))
				}
			}
		}
	}
	return found
}

func TestInvariantRuleFindsWhatItShould(t *testing.T) {
	const text = `# Invariants
## Proven
| id | promise | keeper | test |
|---|---|---|---|
| ACK-KEPT | kept | ` + "`a/keeper` | `a.TestKept`, `a.FuzzKept`" + ` |
| ACK-ORPHAN | test is gone | ` + "`a/keeper` | `a.TestGone`" + ` |
| ACK-TWICE | keeper is gone | ` + "`a/gone` | `a.TestKept`" + ` |
| ACK-TWICE | twice and without a test | ` + "`a/keeper`" + ` | |
| ack4 | odd | soon | ` + "`TestKept`" + ` |
## Not proven yet
| id | promise | keeper | what is missing |
|---|---|---|---|
| ORD-LATER | later | ` + "`a/planned`" + ` | a crash test over all of it |
| ORD-VAGUE | later | ` + "`a/planned`" + ` | all |
`
	rows := parseInvariants(text)
	got := unproven(rows, map[string]bool{"a.TestKept": true, "a.FuzzKept": true}, func(p string) bool { return p == "a/keeper" })
	same(t, "unproven", got, []string{
		`INVARIANTS.md:6: ACK-ORPHAN is proven by a.TestGone, which is gone: name the test that proves it now, or move the row to "## Not proven yet"`,
		`INVARIANTS.md:7: ACK-TWICE is kept by a/gone, which is not there: name what keeps it now`,
		`INVARIANTS.md:8: ACK-TWICE stands twice: give one of the two another id`,
		`INVARIANTS.md:8: ACK-TWICE names no test: name one as ` + "`internal/….TestName`" + `, or move the row to "## Not proven yet"`,
		`INVARIANTS.md:9: ack4 is not an id such as ACK-DURABLE`,
		`INVARIANTS.md:9: ack4 has no keeper: name the package or file that keeps it, as ` + "`internal/…`",
		`INVARIANTS.md:9: ack4 names TestKept, which is not written as ` + "`directory.TestName`",
		`INVARIANTS.md:14: ORD-VAGUE does not say what its proof needs`,
	})

	f := snippet(t, "x.go", "// Package x keeps ACK-KEPT and ACK-LOST in UTF-8.\npackage x\nconst s = \"ACK-ELSE\"\n")
	same(t, "unknownIDs", unknownIDs(f, map[string]bool{"ACK-KEPT": true}), []string{
		"x.go:1: names ACK-LOST, which INVARIANTS.md does not have: add the row, or write it in small letters if it is no invariant",
	})
}
