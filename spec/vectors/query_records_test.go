package vectors_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// conditionFile has many conditions on few records.
type conditionFile struct {
	About   string           `json:"about"`
	Auth    json.RawMessage  `json:"auth"`
	Records []queryRecord    `json:"records"`
	Cases   []*conditionCase `json:"cases"`
}

type queryRecord struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type conditionCase struct {
	Name      string          `json:"name"`
	Predicate json.RawMessage `json:"predicate,omitempty"`
	Where     json.RawMessage `json:"where,omitempty"`
	Matches   []string        `json:"matches"`
	Error     *refusal        `json:"error"`
}

// refusal says why a condition is refused.
type refusal struct {
	Code string `json:"code"`
	Path string `json:"path"`
}

var refusals = map[error]string{
	predicate.ErrSyntax: "SYNTAX", predicate.ErrLimit: "LIMIT", predicate.ErrUnsupported: "UNSUPPORTED",
}

func TestConditionVectors(t *testing.T) {
	check(t, "query/conditions.json", func(f *conditionFile) { f.answer(t) })
}

// answer fills in what follows.
func (f *conditionFile) answer(t *testing.T) {
	t.Helper()
	env := predicate.Env{Auth: rawOf(t, f.Auth)}
	docs := make([]value.Raw, len(f.Records))
	for i, r := range f.Records {
		docs[i] = rawOf(t, r.Value)
	}
	for _, c := range f.Cases {
		c.Matches, c.Error = nil, nil
		test, err := c.compile(t, env)
		if err != nil {
			c.Error = refusalOf(t, c.Name, err)
			continue
		}
		c.Matches = []string{}
		for i, r := range f.Records {
			if test.Match(r.Key, docs[i]) {
				c.Matches = append(c.Matches, r.Key)
			}
		}
	}
}

func (c *conditionCase) compile(t *testing.T, env predicate.Env) (*predicate.Program, error) {
	t.Helper()
	var (
		node *predicate.Node
		err  error
	)
	if c.Where != nil {
		node, err = predicate.ParseWhere(rawOf(t, c.Where))
	} else {
		node, err = predicate.Parse(rawOf(t, c.Predicate))
	}
	if err != nil {
		return nil, err
	}
	return predicate.Compile(node, env)
}

func refusalOf(t *testing.T, name string, err error) *refusal {
	t.Helper()
	var e *predicate.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", name, err)
	}
	return &refusal{Code: refusals[e.Err], Path: e.Path}
}

type pathFile struct {
	About string   `json:"about"`
	Paths []string `json:"paths"`
	Cases []struct {
		Document json.RawMessage `json:"document"`
		Found    []found         `json:"found"`
	} `json:"cases"`
}

type found struct {
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

func TestPathVectors(t *testing.T) {
	check(t, "query/paths.json", func(f *pathFile) {
		for i := range f.Cases {
			c := &f.Cases[i]
			doc := rawOf(t, c.Document)
			c.Found = []found{}
			for _, path := range f.Paths {
				if v, ok := value.Lookup(doc, value.ParsePath(path)); ok {
					c.Found = append(c.Found, found{path, jsonOf(t, v)})
				}
			}
		}
	})
}

type valueFile struct {
	About  string            `json:"about"`
	Values []json.RawMessage `json:"values"`
	Places []int             `json:"places"`
	Normal [][]byte          `json:"normal"`
}

func TestValueVectors(t *testing.T) {
	check(t, "query/values.json", func(f *valueFile) {
		var values []value.Raw
		for _, text := range f.Values {
			values = append(values, rawOf(t, text))
		}
		f.Places, f.Normal = nil, nil
		sorted := slices.SortedFunc(slices.Values(values), value.Compare)
		for _, v := range values {
			place, _ := slices.BinarySearchFunc(sorted, v, value.Compare)
			f.Places = append(f.Places, place)
			f.Normal = append(f.Normal, value.AppendNormal(nil, v))
			for _, w := range values {
				if c := value.Compare(v, w); value.Equal(v, w) != (c == 0) || cmp.Compare(c, 0) != -cmp.Compare(value.Compare(w, v), 0) {
					t.Errorf("%x and %x: order %d, equal %t", v, w, c, value.Equal(v, w))
				}
			}
		}
	})
}
