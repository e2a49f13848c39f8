package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// rewrite says to write the golden files in spec/vectors instead of comparing.
var rewrite = os.Getenv("GOLDEN") == "write"

// full is a filler that sets everything to a fixed plausible value.
type full struct{}

func (full) optional(string) bool    { return true }
func (full) flag(string) bool        { return true }
func (full) pick(n int) int          { return n - 1 }
func (full) number(string) float64   { return 0.75 }
func (full) bytes(string) []byte     { return []byte{0x00, 0x00, 0x80, 0x3f} }
func (full) node() string            { return "node-1" }
func (full) text(name string) string { return name + "-1" }

func (full) length(name string) int {
	if name == "ops" || name == "operations" {
		return 4 // one of each kind
	}
	return 2
}

func (full) integer(name string) int64 {
	lower := strings.ToLower(name)
	switch {
	case strings.Contains(lower, "hash") || lower == "bucket":
		return 4084391955
	case lower == "millis" || strings.Contains(lower, "timestamp") || strings.HasSuffix(name, "At") || name == "serverTime":
		return 1771700000123
	}
	return 7
}

func (full) raw(name string) value.Raw {
	v, err := value.FromAny(map[string]any{"title": name, "n": 42, "x": 1.5, "tags": []string{"a", "ü"}, "none": nil})
	if err != nil {
		panic(err)
	}
	return v
}

// minimal is a filler that leaves out all that is optional.
type minimal struct{ full }

func (minimal) optional(string) bool      { return false }
func (minimal) length(string) int         { return 0 }
func (minimal) pick(int) int              { return 0 }
func (minimal) flag(string) bool          { return false }
func (minimal) integer(name string) int64 { return full{}.integer(name) % 8 }
func (minimal) number(string) float64     { return 0 }
func (minimal) raw(string) value.Raw      { return value.Raw{0xc0} }

// vectorCase is one frame of a golden file: the document and its bytes as this
// package encodes it.
type vectorCase struct {
	Name    string          `json:"name"`
	JSON    json.RawMessage `json:"json"`
	MsgPack string          `json:"msgpack"` // base64
}

type vectorFile struct {
	About string       `json:"about"`
	Type  string       `json:"type"`
	Cases []vectorCase `json:"cases"`
}

// TestGoldenVectors compares the encodings of every message with the golden
// files, which other implementations read too, and decodes them again.
func TestGoldenVectors(t *testing.T) {
	dir := filepath.Join(repoRoot(t), "spec", "vectors", "wire")
	written := map[string]bool{"accept.json": true, "refuse.json": true}
	eachMessage(t, func(t *testing.T, empty func() any) {
		t.Helper()
		name := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		file := vectorFile{
			About: "A frame with everything that " + name + " can carry, and one with nothing optional: msgpack (base64) as it is written, json the same document, with bytes as {\"$bytes\": base64}.",
			Type:  name,
		}
		for _, c := range []struct {
			name   string
			filler filler
		}{{"full", full{}}, {"minimal", minimal{}}} {
			m := empty()
			fillMessage(c.filler, m)
			frame := encodeAny(m)
			got, err := decodeLike(m, frame)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%s: decoded\n\t%+v\nwant\n\t%+v", c.name, got, m)
			}
			file.Cases = append(file.Cases, vectorCase{
				Name: c.name, JSON: jsonOf(t, frame), MsgPack: base64.StdEncoding.EncodeToString(frame),
			})
		}
		golden(t, filepath.Join(dir, name+".json"), file)
		written[name+".json"] = true
	})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !written[e.Name()] {
			t.Errorf("%s belongs to no message; delete it", e.Name())
		}
	}
}

// golden compares doc with a file, or writes it.
func golden(t *testing.T, path string, doc any) {
	t.Helper()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	if rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, text.Bytes()) {
		t.Errorf("%s is out of date. If the change is meant: make golden PKG=./internal/core/wire\ngot\n%s", path, text.Bytes())
	}
}

// jsonOf writes a document as JSON with sorted keys.
func jsonOf(t *testing.T, doc []byte) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(jsonValue(value.Raw(doc).Any()))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jsonValue(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bytes": base64.StdEncoding.EncodeToString(v)}
	case []any:
		for i := range v {
			v[i] = jsonValue(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = jsonValue(v[k])
		}
	}
	return v
}

// ExampleAppend shows the bytes of a small frame.
func ExampleAppend() {
	fmt.Printf("%q\n", Append(nil, &TopicSub{Topic: "news"}))
	// Output: "\x82\xa4type\xa9TOPIC_SUB\xa7payload\x81\xa5topic\xa4news"
}
