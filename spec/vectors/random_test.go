package vectors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "of the random conditions on which Go and TypeScript are compared; 0 draws one")
	cases = flag.Int("cases", 1000, "how many random conditions Go and TypeScript are compared on")
)

// TestRandomConditionVectors keeps a file of random conditions, so that other
// implementations meet more of them than somebody would write.
func TestRandomConditionVectors(t *testing.T) {
	check(t, "query/random.json", func(f *conditionFile) {
		*f = *randomConditions(t, 1, 400)
		f.answer(t)
	})
}

// TestTypeScriptAgreesOnRandomConditions has both implementations answer random
// conditions. It needs Node.js and the packages of clients/ts, which make ts-test
// installs.
func TestTypeScriptAgreesOnRandomConditions(t *testing.T) {
	f := randomConditions(t, drawSeed(t), *cases)
	var theirs conditionFile
	typeScript(t, f, &theirs)
	f.answer(t)
	for i, c := range f.Cases {
		compare(t, c, theirs.Cases[i])
	}
}

// TestTypeScriptAgreesOnRandomQueries has the replica of a Go client and the
// TypeScript implementation answer whole queries, page after page.
func TestTypeScriptAgreesOnRandomQueries(t *testing.T) {
	f := randomQueries(t, drawSeed(t), *cases/10)
	var theirs queryFile
	typeScript(t, f, &theirs)
	f.answer(t)
	for i, c := range f.Cases {
		compare(t, c, theirs.Cases[i])
	}
}

func compare(t *testing.T, ours, theirs any) {
	t.Helper()
	if a, b := text(t, ours), text(t, theirs); !bytes.Equal(a, b) {
		t.Errorf("Go:         %s\nTypeScript: %s", a, b)
	}
}

func drawSeed(t *testing.T) uint64 {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("go test ./spec/vectors -run %s -seed %d -cases %d", t.Name(), s, *cases)
	return s
}

// typeScript fills answers with what TypeScript makes of a file.
func typeScript(t *testing.T, file, answers any) {
	t.Helper()
	client := filepath.Join("..", "..", "clients", "ts")
	if _, err := os.Stat(filepath.Join(client, "node_modules", "esbuild")); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the packages of clients/ts are not installed: make ts-test")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node.js")
	}
	name := filepath.Join(t.TempDir(), "random.json")
	if err := os.WriteFile(name, encode(t, file), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "tools/run.mjs", "packages/core/test/answer.ts", name)
	cmd.Dir = client
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, answers); err != nil {
		t.Fatal(err)
	}
}

// drawer makes random values, of which many are equal.
type drawer struct{ *rand.Rand }

func one[T any](d drawer, from ...T) T { return from[d.IntN(len(from))] }

// randomConditions makes records and conditions that follow from a seed.
func randomConditions(t *testing.T, seed uint64, n int) *conditionFile {
	t.Helper()
	d := drawer{rand.New(rand.NewPCG(seed, 0))}
	f := &conditionFile{
		About: "Random conditions, as those of conditions.json. The whole file follows from a seed.",
		Auth:  text(t, map[string]any{"id": "ab", "roles": []any{"a", 1, nil}, "deep": d.scalar()}),
	}
	for i := range 24 {
		f.Records = append(f.Records, queryRecord{fmt.Sprint(one(d, "k", "K", "ключ", "😀"), i), text(t, d.document())})
	}
	for i := range n {
		c := &conditionCase{Name: fmt.Sprint(i)}
		if d.IntN(5) == 0 {
			c.Where = text(t, d.where())
		} else {
			c.Predicate = text(t, d.condition(3))
		}
		f.Cases = append(f.Cases, c)
	}
	return f
}

func text(t *testing.T, v any) json.RawMessage {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, encode(t, v)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (d drawer) number() any {
	return one[any](d, 0, 1, 2, 10, -1, 1.5, -0.25, 1e21, 1e-7, 9007199254740991, 9007199254740992.0,
		map[string]any{"$int": "9007199254740993"}, map[string]any{"$int": "-9223372036854775808"}, map[string]any{"$int": "18446744073709551615"},
		map[string]any{"$float": "NaN"}, map[string]any{"$float": "Infinity"}, map[string]any{"$float": "-Infinity"}, map[string]any{"$float": "-0"})
}

func (d drawer) string() string {
	pieces := []string{"a", "b", "A", "B", "ab", "k", "K", "s", "ſ", "ß", "SS", "ü", "Ü", "Σ", "σ", "ς", "ı", "I", "i", "İ", "😀", "\uffff", "1", "10", "%", "_", ".", " ", "\n", "-", "\\", "(", "["}
	var s strings.Builder
	for range d.IntN(5) {
		s.WriteString(one(d, pieces...))
	}
	return s.String()
}

func (d drawer) scalar() any {
	switch d.IntN(8) {
	case 0:
		return nil
	case 1:
		return d.IntN(2) == 0
	case 2, 3, 4:
		return d.number()
	case 5:
		return map[string]any{"$bytes": one(d, "", "AQ==", "AQI=")}
	}
	return d.string()
}

func (d drawer) value() any {
	switch d.IntN(6) {
	case 0:
		return d.list(3)
	case 1:
		return map[string]any{"x": d.scalar(), one(d, "y", "0", "a.b"): d.scalar()}
	}
	return d.scalar()
}

func (d drawer) list(most int) []any {
	out := []any{}
	for range d.IntN(most + 1) {
		if d.IntN(6) == 0 {
			out = append(out, []any{d.scalar()})
		} else {
			out = append(out, d.scalar())
		}
	}
	return out
}

func (d drawer) document() any {
	if d.IntN(12) == 0 {
		return d.value()
	}
	doc := map[string]any{}
	for _, name := range []string{"a", "b", "s", "t", "n", "l", "a.b", "o"} {
		switch {
		case d.IntN(4) == 0:
		case name == "s" || name == "t":
			doc[name] = d.string()
		case name == "n":
			doc[name] = d.number()
		case name == "l":
			doc[name] = d.list(4)
		case name == "o":
			doc[name] = map[string]any{"a": d.value(), "b": map[string]any{"c": d.scalar()}}
		default:
			doc[name] = d.value()
		}
	}
	return doc
}

func (d drawer) attribute() string {
	return one(d, "a", "b", "s", "s", "t", "n", "n", "l", "l", "l.0", "l.1.0", "a.b", "a.x", "a.a.b", "o", "o.a", "o.b.c", "_key", "", "missing")
}

func (d drawer) condition(depth int) any {
	if depth > 0 && d.IntN(3) == 0 {
		var children []any
		for range d.IntN(4) {
			children = append(children, d.condition(depth-1))
		}
		return map[string]any{"op": one(d, "and", "or", "not"), "children": children}
	}
	op := one(d, "eq", "neq", "gt", "gte", "lt", "lte", "like", "like", "regex", "regex", "in", "between", "isNull", "isNotNull",
		"contains", "contains", "containsAll", "containsAny", "startsWith", "endsWith")
	leaf := map[string]any{"op": op, "attribute": d.attribute()}
	if d.IntN(8) == 0 {
		leaf["valueRef"] = one(d, "data.", "auth.") + one(d, d.attribute(), "id", "roles", "deep")
		return leaf
	}
	leaf["value"] = d.operand(op)
	return leaf
}

// operand draws a right side that an operator can do something with, most often.
func (d drawer) operand(op string) any {
	if d.IntN(20) == 0 {
		return d.value()
	}
	switch op {
	case "like", "startsWith", "endsWith":
		return d.string()
	case "regex":
		return d.regex(3)
	case "in", "containsAll", "containsAny":
		return d.list(4)
	case "between":
		return []any{d.scalar(), d.scalar()}
	case "contains":
		return one[any](d, d.string(), d.scalar())
	}
	return d.value()
}

func (d drawer) where() any {
	where := map[string]any{}
	for range d.IntN(3) {
		field := d.attribute()
		if d.IntN(2) == 0 {
			where[field] = d.value()
			continue
		}
		operators := map[string]any{}
		for range 1 + d.IntN(2) {
			op := one(d, "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$in")
			operators[op] = d.value()
			if op == "$in" {
				operators[op] = d.list(4)
			}
		}
		if d.IntN(20) == 0 {
			operators[one(d, "$near", "x")] = 1
		}
		where[field] = operators
	}
	return where
}

// regex draws a regular expression, now and then one that is none.
func (d drawer) regex(depth int) string {
	if depth == 0 || d.IntN(3) == 0 {
		return one(d, "a", "b", "k", "s", "ß", "σ", "I", "ı", "😀", ".", "^", "$", `\b`, `\B`, `\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\pL`, `\PL`, `\p{Lu}`,
			`\p{Greek}`, `\P{Latin}`, "[a-k]", "[^a-k]", "[[:upper:]]", "[[:^digit:]]", `[\d_]`, `[\W]`, `[ß-ü]`, "[]a]", "[^\\n]", `\.`, `\n`, `\x41`, `\x{1F600}`, `\101`,
			`\A`, `\z`, `\Qa.b\E`, "1", "10", "%", "", "ab", "(?i)", "(?s).", "(?m)^", "(?m)$", "(?U)", "*", ")", "[", `\q`)
	}
	inner := d.regex(depth - 1)
	switch d.IntN(8) {
	case 0:
		return inner + "|" + d.regex(depth-1)
	case 1:
		return "(" + inner + ")" + one(d, "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "{,3}", "{3,2}")
	case 2:
		return "(?i:" + inner + ")"
	case 3:
		return "(?i)" + inner
	case 4:
		return "(?" + one(d, "s", "m", "is", "i-s", "-i", "-", "x") + ":" + inner + ")"
	}
	return inner + d.regex(depth-1)
}
