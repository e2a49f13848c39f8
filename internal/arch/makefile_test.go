package arch

import (
	"regexp"
	"strings"
	"testing"
)

// makeRule matches the line that begins a rule, such as "test: deps ## Run all."
// The dot of a name such as .PHONY, and variables, do not match.
var makeRule = regexp.MustCompile(`^([a-zA-Z][\w-]*):([^=].*)?$`)

// makeTargets returns the targets of a Makefile, and whether each is explained
// by a ## comment.
func makeTargets(text string) map[string]bool {
	targets := map[string]bool{}
	for line := range strings.Lines(text) {
		if m := makeRule.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			_, comment, _ := strings.Cut(m[2], "## ")
			targets[m[1]] = strings.TrimSpace(comment) != ""
		}
	}
	return targets
}

// TestMakeTargetsExplainThemselves fails on a target that `make` would not list.
func TestMakeTargetsExplainThemselves(t *testing.T) {
	text := allTexts(t)["Makefile"]
	targets := makeTargets(text)
	for target, explained := range targets {
		if !explained {
			t.Errorf("Makefile: target %s has no explanation: write it as `%s: ## What it does.`", target, target)
		}
	}
	for _, target := range []string{
		"help", "run", "build", "test", "check", "lint", "fmt", "vet", "gen", "gen-check",
		"fuzz", "sim", "bench", "golden", "cover", "clean", "ci",
	} {
		if _, ok := targets[target]; !ok {
			t.Errorf("Makefile: target %s is gone, which documents and habits rely on", target)
		}
	}
}

func TestMakeRuleFindsWhatItShould(t *testing.T) {
	got := makeTargets(".PHONY: a\nA := 1\nB:=2\na: b ## Do a.\n\techo c: d\nb:\nc: ##\n")
	want := map[string]bool{"a": true, "b": false, "c": false}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for target, explained := range want {
		if got[target] != explained {
			t.Errorf("target %s: explained %v, want %v", target, got[target], explained)
		}
	}
}
