package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryWrittenAnswerIsTested reads docs/answers.md: each row of its tables
// ends with tests, which are there.
func TestEveryWrittenAnswerIsTested(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs", "answers.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([\\w/]+)\\.(Test\\w+)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| test |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		tests := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, m := range tests {
			if !isTest(t, filepath.Join(root, m[1]), m[2]) {
				t.Errorf("%s.%s is not there: %s", m[1], m[2], line)
			}
		}
	}
	if rows < 50 {
		t.Errorf("the document has %d rows", rows)
	}
}

// isTest reports whether a package has a test of that name.
func isTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
