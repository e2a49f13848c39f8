package arch

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
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
	invariantID = regexp.MustCompile(`^[A-Z]+-\d+$`)
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
			report("is not an id such as ACK-1")
		}
		if seen[r.id] {
			report("stands twice: give the second row the next free number")
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

// TestMentionedInvariantsExist fails when code or a document names an id that
// INVARIANTS.md does not have.
func TestMentionedInvariantsExist(t *testing.T) {
	rows := parseInvariants(allTexts(t)[invariantsFile])
	for name, text := range allTexts(t) {
		if strings.HasPrefix(name, "internal/arch/") {
			continue
		}
		for _, found := range unknownIDs(rows, text) {
			t.Errorf("%s mentions %s, which %s does not have", name, found, invariantsFile)
		}
	}
}

// unknownIDs returns the mentioned ids with the letters of a known id and a
// number that is not known.
func unknownIDs(rows []invariant, text string) []string {
	known, letters := map[string]bool{}, []string{}
	for _, r := range rows {
		known[r.id] = true
		head, _, _ := strings.Cut(r.id, "-")
		if !slices.Contains(letters, head) {
			letters = append(letters, head)
		}
	}
	if len(letters) == 0 {
		return nil
	}
	var found []string
	mention := regexp.MustCompile(`\b(?:` + strings.Join(letters, "|") + `)-\d+\b`)
	for _, id := range mention.FindAllString(text, -1) {
		if !known[id] {
			found = append(found, id)
		}
	}
	return found
}

func TestInvariantRuleFindsWhatItShould(t *testing.T) {
	const text = `# Invariants
## Proven
| id | promise | keeper | test |
|---|---|---|---|
| ACK-1 | kept | ` + "`a/keeper` | `a.TestKept`, `a.FuzzKept`" + ` |
| ACK-2 | test is gone | ` + "`a/keeper` | `a.TestGone`" + ` |
| ACK-3 | keeper is gone | ` + "`a/gone` | `a.TestKept`" + ` |
| ACK-3 | twice and without a test | ` + "`a/keeper`" + ` | |
| ack4 | odd | soon | ` + "`TestKept`" + ` |
## Not proven yet
| id | promise | keeper | what is missing |
|---|---|---|---|
| ORD-1 | later | ` + "`a/planned`" + ` | a crash test over all of it |
| ORD-2 | later | ` + "`a/planned`" + ` | all |
`
	rows := parseInvariants(text)
	got := unproven(rows, map[string]bool{"a.TestKept": true, "a.FuzzKept": true}, func(p string) bool { return p == "a/keeper" })
	same(t, "unproven", got, []string{
		`INVARIANTS.md:6: ACK-2 is proven by a.TestGone, which is gone: name the test that proves it now, or move the row to "## Not proven yet"`,
		`INVARIANTS.md:7: ACK-3 is kept by a/gone, which is not there: name what keeps it now`,
		`INVARIANTS.md:8: ACK-3 stands twice: give the second row the next free number`,
		`INVARIANTS.md:8: ACK-3 names no test: name one as ` + "`internal/….TestName`" + `, or move the row to "## Not proven yet"`,
		`INVARIANTS.md:9: ack4 is not an id such as ACK-1`,
		`INVARIANTS.md:9: ack4 has no keeper: name the package or file that keeps it, as ` + "`internal/…`",
		`INVARIANTS.md:9: ack4 names TestKept, which is not written as ` + "`directory.TestName`",
		`INVARIANTS.md:14: ORD-2 does not say what its proof needs`,
	})
	same(t, "unknownIDs", unknownIDs(rows, "ACK-1 and ACK-9, ORD-1, UTF-8, BACK-9"), []string{"ACK-9"})
}
