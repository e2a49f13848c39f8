package vectors_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

var rewrite = flag.Bool("rewrite", os.Getenv("GOLDEN") == "write", "write the vector files anew")

// check reads a vector file, lets compute fill in what follows, and compares the
// result with the file.
func check[T any](t *testing.T, name string, compute func(*T)) {
	t.Helper()
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file T
	dec := json.NewDecoder(bytes.NewReader(old))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	compute(&file)
	text := encode(t, file)
	if *rewrite {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if bytes.Equal(text, old) {
		return
	}
	want, got := strings.Split(string(old), "\n"), strings.Split(string(text), "\n")
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Fatalf("%s:%d says %q, but it follows %q", name, i+1, want[i], got[i])
		}
	}
	t.Fatalf("%s has %d lines, but %d follow", name, len(want), len(got))
}

// encode writes JSON as JSON.stringify(v, null, 2) does, and a line feed.
func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	// The line separators of Unicode are the only characters that encoding/json
	// escapes all the same.
	b2 := bytes.ReplaceAll(b.Bytes(), []byte(`\u2028`), []byte("\u2028"))
	return bytes.ReplaceAll(b2, []byte(`\u2029`), []byte("\u2029"))
}

// stamp is a timestamp as JSON has it.
type stamp struct {
	Millis  int64  `json:"millis"`
	Counter uint32 `json:"counter"`
	NodeID  string `json:"nodeId"`
}

func (s stamp) hlc() hlc.Timestamp {
	return hlc.Timestamp{Millis: s.Millis, Counter: s.Counter, Node: s.NodeID}
}

func stampOf(t hlc.Timestamp) stamp { return stamp{t.Millis, t.Counter, t.Node} }

// node is a node of a Merkle tree: with children, or, for a leaf, with keys.
type node struct {
	Path     string  `json:"path"`
	Hash     uint32  `json:"hash"`
	Children []child `json:"children,omitempty"`
	Keys     int     `json:"keys,omitempty"`
}

type child struct {
	Digit string `json:"digit"`
	Hash  uint32 `json:"hash"`
}

// nodesOf lists the tree's nodes that have keys below them, parents first.
func nodesOf(tree *merkle.Tree) []node {
	var walk func(path string, hash uint32) []node
	walk = func(path string, hash uint32) []node {
		n := node{Path: path, Hash: hash}
		var below []node
		for _, c := range tree.Children(path) {
			digit := string(rune(c.Digit))
			n.Children = append(n.Children, child{digit, c.Hash})
			below = append(below, walk(path+digit, c.Hash)...)
		}
		if len(path) == merkle.Depth {
			_, n.Keys, _ = tree.Leaf(path)
		}
		return append([]node{n}, below...)
	}
	return walk("", tree.Root())
}

// rawOf encodes a JSON value, the fields of maps in the order in which they are
// written. What JSON does not have is written as codec.json says.
func rawOf(t *testing.T, text json.RawMessage) value.Raw {
	t.Helper()
	dst := appendValue(t, nil, text)
	if err := value.Check(dst); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return dst
}

func appendValue(t *testing.T, dst []byte, text json.RawMessage) []byte {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	tok, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if special, ok := appendSpecial(t, dst, text); ok {
			return special
		}
		n, body := 0, []byte(nil)
		for ; dec.More(); n++ {
			if tok == '{' {
				name, err := dec.Token()
				if err != nil {
					t.Fatal(err)
				}
				body = value.AppendStr(body, name.(string))
			}
			var element json.RawMessage
			if err := dec.Decode(&element); err != nil {
				t.Fatal(err)
			}
			body = appendValue(t, body, element)
		}
		if tok == '{' {
			return append(value.AppendMap(dst, n), body...)
		}
		return append(value.AppendArray(dst, n), body...)
	case string:
		return value.AppendStr(dst, tok)
	case float64:
		return value.AppendNumber(dst, tok)
	case bool:
		return value.AppendBool(dst, tok)
	}
	return value.AppendNil(dst)
}
