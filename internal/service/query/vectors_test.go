package query

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

var rewrite = flag.Bool("rewrite", os.Getenv("GOLDEN") == "write", "write the vector file anew")

const rowsFile = "../../../spec/vectors/query/rows.json"

// rowsVectors are queries over a few records, with what they answer.
type rowsVectors struct {
	About   string `json:"about"`
	Records []struct {
		Key string         `json:"key"`
		Doc map[string]any `json:"doc"`
	} `json:"records"`
	Cases []rowsCase `json:"cases"`
}

type rowsCase struct {
	Query  json.RawMessage `json:"query"`
	Fields []string        `json:"fields,omitempty"`
	Rows   []rowOfCase     `json:"rows"`
	More   bool            `json:"more"`
}

type rowOfCase struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

// TestRowsVectors computes the answers of spec/vectors/query/rows.json, which
// clients that evaluate queries compute, too.
func TestRowsVectors(t *testing.T) {
	old, err := os.ReadFile(rowsFile)
	if err != nil {
		t.Fatal(err)
	}
	var f rowsVectors
	if err := json.Unmarshal(old, &f); err != nil {
		t.Fatal(err)
	}
	for i := range f.Cases {
		answerCase(t, &f, &f.Cases[i])
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(rowsFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := strings.Split(string(old), "\n"), strings.Split(out.String(), "\n")
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Fatalf("line %d says %q, but it follows %q", i+1, want[i], got[i])
		}
	}
	if len(want) != len(got) {
		t.Fatalf("%d lines, but %d follow", len(want), len(got))
	}
}

func answerCase(t *testing.T, f *rowsVectors, c *rowsCase) {
	t.Helper()
	var query map[string]any
	if err := json.Unmarshal(c.Query, &query); err != nil {
		t.Fatal(err)
	}
	frame := raw(t, map[string]any{"type": "QUERY_SUB", "payload": map[string]any{"queryId": "q", "mapName": "m", "query": whole(query)}})
	m, err := wire.Decode(frame, wire.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", c.Query, err)
	}
	sub, ok := m.(*wire.QuerySub)
	if !ok {
		t.Fatalf("%s is a %s", c.Query, m.Type())
	}
	sub.Fields = c.Fields
	p, err := newPlan(sub, policy.Principal{}, 10_000)
	if err != nil {
		t.Fatalf("%s: %v", c.Query, err)
	}
	r := newResult(p, 0, 1)
	for _, rec := range f.Records {
		doc, _ := whole(rec.Doc).(map[string]any)
		state := stateOf(raw(t, doc))
		if d := document.Of(change.KindLWW, state, 1); p.match.Match(rec.Key, d.Full) {
			r.admit(rec.Key, state, &d)
		}
	}
	r.complete()
	c.Rows, c.More = []rowOfCase{}, r.window.more()
	for _, row := range r.window.shown() {
		var v map[string]any
		if err := json.Unmarshal(jsonOf(t, p.project(row.value)), &v); err != nil {
			t.Fatal(err)
		}
		c.Rows = append(c.Rows, rowOfCase{row.key, v})
	}
}

// whole makes integers of the numbers of JSON that are, as JavaScript does.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) && v > -1e15 && v < 1e15 {
			return int64(v)
		}
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = whole(out[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, field := range v {
			out[name] = whole(field)
		}
		return out
	}
	return v
}

func jsonOf(t *testing.T, v value.Raw) []byte {
	t.Helper()
	b, err := json.Marshal(v.Any())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
