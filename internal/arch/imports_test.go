package arch

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"testing"
)

//go:embed layers.txt
var layers string

// tree is one entry of layers.txt.
type tree struct {
	path  string // import path below the module, such as internal/core
	floor int    // 0 is the ground
	split bool   // written tree/*: each child is a room
}

// house is the whole import policy.
type house []tree

func parseLayers(text string) house {
	var h house
	floor := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for field := range strings.FieldsSeq(line) {
			p, split := strings.CutSuffix(field, "/*")
			h = append(h, tree{p, floor, split})
		}
		floor++
	}
	return h
}

// find returns the innermost tree that pkg belongs to.
func (h house) find(pkg string) (tree, bool) {
	best, found := tree{}, false
	for _, t := range h {
		inside := pkg == t.path || strings.HasPrefix(pkg, t.path+"/")
		if inside && len(t.path) >= len(best.path) {
			best, found = t, true
		}
	}
	return best, found
}

// room is what pkg shares with the packages that it may freely import.
func (t tree) room(pkg string) string {
	if !t.split || pkg == t.path {
		return t.path
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(pkg, t.path+"/"), "/")
	return t.path + "/" + head
}

// complaint says why pkg must not import dep, or nothing.
func (h house) complaint(pkg, dep string) string {
	from, ok := h.find(pkg)
	if !ok {
		return pkg + " stands on no floor: give it a place in internal/arch/layers.txt"
	}
	to, ok := h.find(dep)
	if !ok {
		return dep + " stands on no floor: give it a place in internal/arch/layers.txt"
	}
	aroundIt := to.split && dep == to.path && strings.HasPrefix(pkg, dep+"/")
	switch {
	case to.floor < from.floor, from.room(pkg) == to.room(dep), aroundIt:
		return ""
	case to.floor > from.floor:
		return fmt.Sprintf("%s imports %s, which is on a higher floor: declare a small interface here and let internal/app hand in the implementation", pkg, dep)
	default:
		return fmt.Sprintf("%s imports its neighbour %s: meet on a lower floor, or wire the two together in internal/app", pkg, dep)
	}
}

// TestImportsPointDown fails on an import that climbs, crosses to a neighbour,
// or comes from a package without a floor.
func TestImportsPointDown(t *testing.T) {
	h := parseLayers(layers)
	for _, f := range allSources(t) {
		if f.test() || f.dir() == "internal/arch" {
			continue
		}
		if _, ok := h.find(f.dir()); !ok {
			t.Errorf("%s: %s stands on no floor: give it a place in internal/arch/layers.txt", f.path, f.dir())
		}
		for _, spec := range f.ast.Imports {
			dep, inside := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			if !inside {
				continue
			}
			if c := h.complaint(f.dir(), path.Clean(dep)); c != "" {
				t.Errorf("%s: %s", f.at(spec), c)
			}
		}
	}
}

func TestImportPolicyFindsWhatItShould(t *testing.T) {
	const (
		ok        = ""
		higher    = "on a higher floor"
		neighbour = "its neighbour"
		homeless  = "on no floor"
	)
	h := parseLayers(layers)
	for _, tt := range []struct{ from, to, want string }{
		{"internal/core/crdt", "internal/core/hlc", ok},
		{"internal/core/crdt", "internal/storage/log", higher},
		{"internal/storage/log", "internal/core/change", ok},
		{"internal/storage/log", "internal/storage", ok},
		{"internal/storage", "internal/storage/log", neighbour},
		{"internal/storage/log", "internal/storage/record", neighbour},
		{"internal/storage/log/segment", "internal/storage/log", ok},
		{"internal/storage/log", "internal/storage/backing", neighbour},
		{"internal/storage/backing/embedded", "internal/storage/backing", ok},
		{"internal/storage/backing/embedded", "internal/storage", ok},
		{"internal/storage/backing/embedded", "internal/storage/log", neighbour},
		{"internal/storage/backing/embedded", "internal/storage/backing/memory", neighbour},
		{"internal/storage/backing", "internal/storage/backing/memory", neighbour},
		{"internal/grid/lane", "internal/grid/feed", ok},
		{"internal/grid/lane", "internal/storage/log", ok},
		{"internal/grid/lane", "internal/cluster/member", neighbour},
		{"internal/grid/lane", "internal/service", higher},
		{"internal/service/maps", "internal/service", ok},
		{"internal/service/maps", "internal/service/query", neighbour},
		{"internal/transport/ws", "internal/session", ok},
		{"internal/transport/ws", "internal/transport/httpapi", neighbour},
		{"internal/app/config", "internal/app", ok},
		{"internal/session", "internal/app/config", higher},
		{"internal/sim", "internal/app", ok},
		{"cmd/topgun", "internal/sim", ok},
		{"cmd/topgun", "tools/configdoc", neighbour},
		{"internal/misc", "internal/core/hlc", homeless},
		{"internal/app", "internal/corelib", homeless},
	} {
		got := h.complaint(tt.from, tt.to)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
}
