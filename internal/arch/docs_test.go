package arch

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	mdFence   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	mdCode    = regexp.MustCompile("`[^`\n]*`")
	// repoPath matches what looks like a place in the repository.
	repoPath = regexp.MustCompile(`^(internal|cmd|clients|docs|tools|spec|web|test)/[\w./*-]+$`)
	makeCall = regexp.MustCompile("^make ([a-z][a-z-]*)")
)

// anchors returns the fragments that a document can be entered at.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range mdHeading.FindAllStringSubmatch(mdFence.ReplaceAllString(text, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(strings.ReplaceAll(m[1], "`", "")) {
			switch {
			case r == ' ' || r == '-':
				b.WriteByte('-')
			case r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127:
				b.WriteRune(r)
			}
		}
		out[b.String()] = true
	}
	return out
}

// deadLinks returns the links of one document that lead nowhere. docs are all
// documents by path, exists tells whether another file is there.
func deadLinks(name string, docs map[string]string, exists func(string) bool) []string {
	var found []string
	prose := mdCode.ReplaceAllString(mdFence.ReplaceAllString(docs[name], ""), "")
	for _, m := range mdLink.FindAllStringSubmatch(prose, -1) {
		target, fragment, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file := name
		if target != "" {
			file = path.Join(path.Dir(name), target)
		}
		if !exists(file) {
			found = append(found, fmt.Sprintf("%s: the link to %s leads nowhere: there is no %s", name, m[1], file))
			continue
		}
		if text, ok := docs[file]; ok && fragment != "" && !anchors(text)[fragment] {
			found = append(found, fmt.Sprintf("%s: the link to %s leads nowhere: %s has no heading #%s", name, m[1], file, fragment))
		}
	}
	return found
}

// stalePlaces returns what a document says of the repository that is not so:
// paths in code spans that are gone, targets that make does not know.
func stalePlaces(name, text string, exists func(string) bool, targets map[string]bool) []string {
	var found []string
	for _, span := range unquote(mdFence.ReplaceAllString(text, "")) {
		if m := makeCall.FindStringSubmatch(span); m != nil && !targets[m[1]] {
			found = append(found, fmt.Sprintf("%s: says `%s`, but the Makefile has no target %s", name, span, m[1]))
		}
		place := strings.TrimSuffix(span, "/")
		if m := testRef.FindStringSubmatch(span); m != nil {
			place = m[1]
		}
		if repoPath.MatchString(place) && !exists(place) {
			found = append(found, fmt.Sprintf("%s: names `%s`, which is not there", name, span))
		}
	}
	return found
}

func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for name, text := range allTexts(t) {
		if path.Ext(name) == ".md" {
			docs[name] = text
		}
	}
	return docs
}

func TestLinksInDocumentsResolve(t *testing.T) {
	docs := documents(t)
	for name := range docs {
		for _, found := range deadLinks(name, docs, exists) {
			t.Error(found)
		}
	}
}

// TestDocumentsNameWhatIsThere covers every document but INVARIANTS.md, whose
// open rows name packages that are still to come.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	targets := makeTargets(allTexts(t)["Makefile"])
	there := func(pattern string) bool {
		matches, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		return err == nil && len(matches) > 0
	}
	for name, text := range documents(t) {
		if name == invariantsFile {
			continue
		}
		for _, found := range stalePlaces(name, text, there, targets) {
			t.Error(found)
		}
	}
}

func TestDocumentRulesFindWhatTheyShould(t *testing.T) {
	docs := map[string]string{
		"README.md": "[a](docs/a.md) [b](docs/b.md) [c](docs/a.md#two-words) [d](docs/a.md#three) [e](#here)\n" +
			"# Here\n[f](https://x.example/y) `[g](gone.md)`\n```\n[h](gone.md)\n```\n[i](LICENSE)",
		"docs/a.md": "## Two words!\n[up](../README.md#here) [bad](README.md)",
	}
	exists := func(p string) bool { _, ok := docs[p]; return ok || p == "LICENSE" }
	same(t, "deadLinks", deadLinks("README.md", docs, exists), []string{
		"README.md: the link to docs/b.md leads nowhere: there is no docs/b.md",
		"README.md: the link to docs/a.md#three leads nowhere: docs/a.md has no heading #three",
	})
	same(t, "deadLinks", deadLinks("docs/a.md", docs, exists), []string{
		"docs/a.md: the link to README.md leads nowhere: there is no docs/README.md",
	})

	text := "`internal/a` `internal/b/` `internal/a.TestX` `internal/c.TestX` `make fly FAST=1` `make run` `other/x` `cmd/topgun serve`"
	there := func(p string) bool { return p == "internal/a" }
	same(t, "stalePlaces", stalePlaces("x.md", text, there, map[string]bool{"run": true}), []string{
		"x.md: names `internal/b/`, which is not there",
		"x.md: names `internal/c.TestX`, which is not there",
		"x.md: says `make fly FAST=1`, but the Makefile has no target fly",
	})
}
