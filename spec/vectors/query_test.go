package vectors_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type predicateFile struct {
	About string          `json:"about"`
	Key   string          `json:"key"`
	Doc   json.RawMessage `json:"doc"`
	Auth  json.RawMessage `json:"auth"`
	Cases []struct {
		Predicate json.RawMessage `json:"predicate"`
		Holds     bool            `json:"holds"`
	} `json:"cases"`
	Refused []struct {
		Predicate json.RawMessage `json:"predicate"`
		At        string          `json:"at"`
	} `json:"refused"`
}

func TestPredicateVectors(t *testing.T) {
	check(t, "query/predicate.json", func(f *predicateFile) {
		doc, env := rawOf(t, f.Doc), predicate.Env{Auth: rawOf(t, f.Auth)}
		compile := func(text json.RawMessage) (*predicate.Program, error) {
			n, err := predicate.Parse(rawOf(t, text))
			if err != nil {
				return nil, err
			}
			return predicate.Compile(n, env)
		}
		for i := range f.Cases {
			p, err := compile(f.Cases[i].Predicate)
			if err != nil {
				t.Fatalf("%s: %v", f.Cases[i].Predicate, err)
			}
			f.Cases[i].Holds = p.Match(f.Key, doc)
		}
		for i := range f.Refused {
			_, err := compile(f.Refused[i].Predicate)
			f.Refused[i].At = placeOf(t, f.Refused[i].Predicate, err)
		}
	})
}

type whereFile struct {
	About string          `json:"about"`
	Key   string          `json:"key"`
	Doc   json.RawMessage `json:"doc"`
	Cases []struct {
		Where json.RawMessage `json:"where"`
		Holds bool            `json:"holds"`
	} `json:"cases"`
	Refused []struct {
		Where json.RawMessage `json:"where"`
		At    string          `json:"at"`
	} `json:"refused"`
}

func TestWhereVectors(t *testing.T) {
	check(t, "query/where.json", func(f *whereFile) {
		doc := rawOf(t, f.Doc)
		for i := range f.Cases {
			n, err := predicate.ParseWhere(rawOf(t, f.Cases[i].Where))
			if err != nil {
				t.Fatalf("%s: %v", f.Cases[i].Where, err)
			}
			p, err := predicate.Compile(n, predicate.Env{})
			if err != nil {
				t.Fatalf("%s: %v", f.Cases[i].Where, err)
			}
			f.Cases[i].Holds = p.Match(f.Key, doc)
		}
		for i := range f.Refused {
			_, err := predicate.ParseWhere(rawOf(t, f.Refused[i].Where))
			f.Refused[i].At = placeOf(t, f.Refused[i].Where, err)
		}
	})
}

func placeOf(t *testing.T, text json.RawMessage, err error) string {
	t.Helper()
	var refused *predicate.Error
	if !errors.As(err, &refused) {
		t.Fatalf("%s is not refused: %v", text, err)
	}
	return refused.Path
}

type orderFile struct {
	About   string            `json:"about"`
	Values  []json.RawMessage `json:"values"`
	Classes [][]int           `json:"classes"`
}

func TestOrderVectors(t *testing.T) {
	check(t, "query/order.json", func(f *orderFile) {
		var values []value.Raw
		var order []int
		for i, text := range f.Values {
			values = append(values, rawOf(t, text))
			order = append(order, i)
		}
		slices.SortStableFunc(order, func(a, b int) int { return value.Compare(values[a], values[b]) })
		f.Classes = nil
		for at, i := range order {
			if at > 0 && value.Compare(values[order[at-1]], values[i]) == 0 {
				last := len(f.Classes) - 1
				f.Classes[last] = append(f.Classes[last], i)
				continue
			}
			f.Classes = append(f.Classes, []int{i})
		}
	})
}
