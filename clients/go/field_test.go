package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/clients/go"
)

type status string

type person struct {
	Name string  `json:"name"`
	Mail *string `json:"mail,omitempty"`
}

type task struct {
	Title    string            `json:"title"`
	Priority int               `json:"priority"`
	Weight   *float64          `json:"weight,omitempty"`
	Status   status            `json:"status"`
	Tags     []string          `json:"tags"`
	Due      time.Time         `json:"due"`
	Owner    person            `json:"owner"`
	Labels   map[string]string `json:"labels"`
	Dotted   bool              `json:"dot.ted"`
	Digest   []byte            `json:"digest"`
	Amount   *big.Int          `json:"amount"` // written as text, by its pointer alone
	Extra    any               `json:"extra"`
	Done     bool
}

var (
	title    = topgun.Must(topgun.TextOf[task, string]("title"))
	priority = topgun.Must(topgun.OrderedOf[task, int]("priority"))
	weight   = topgun.Must(topgun.OrderedOf[task, float64]("weight"))
	state    = topgun.Must(topgun.TextOf[task, status]("status"))
	tags     = topgun.Must(topgun.ListOf[task, string]("tags"))
	due      = topgun.Must(topgun.FieldOf[task, time.Time]("due"))
	owner    = topgun.Must(topgun.TextOf[task, string]("owner.name"))
	mail     = topgun.Must(topgun.TextOf[task, string]("owner.mail"))
	color    = topgun.Must(topgun.TextOf[task, string]("labels.color"))
	first    = topgun.Must(topgun.TextOf[task, string]("tags.0"))
	dotted   = topgun.Must(topgun.FieldOf[task, bool]("dot.ted"))
	digest   = topgun.Must(topgun.FieldOf[task, []byte]("digest"))
	amount   = topgun.Must(topgun.FieldOf[task, *big.Int]("amount"))
	extra    = topgun.Must(topgun.OrderedOf[task, int]("extra.deep.n"))
	done     = topgun.Must(topgun.FieldOf[task, bool]("Done"))
	key      = topgun.KeyOf[task]()
)

func TestFieldsThatAreNotThere(t *testing.T) {
	errorOf := func(_ any, err error) error { return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{
			errorOf(topgun.FieldOf[task, int]("prority")),
			`topgun_test.task has no field "prority": topgun_test.task has title, priority, weight, status, tags, due, owner, labels, dot.ted, digest, amount, extra, Done`,
		},
		{errorOf(topgun.FieldOf[struct{ hidden int }, int]("hidden")), `has no field "hidden"`},
		{errorOf(topgun.TextOf[task, string]("owner.nmae")), `topgun_test.task has no field "owner.nmae": topgun_test.person has name, mail`},
		{errorOf(topgun.TextOf[task, string]("title.x")), `topgun_test.task has no field "title.x": string has no fields`},
		{errorOf(topgun.TextOf[task, string]("tags.00")), `topgun_test.task has no field "tags.00": []string is a list; a name in it is the index of an element`},
		{errorOf(topgun.TextOf[task, string]("due.wall")), `topgun_test.task has no field "due.wall": time.Time is written as text`},
		{errorOf(topgun.TextOf[task, string]("")), `has no field ""`},
		{errorOf(topgun.FieldOf[task, string]("priority")), `the field "priority" of topgun_test.task holds int, not string`},
		{errorOf(topgun.OrderedOf[task, int64]("priority")), `holds int, not int64`},
		{errorOf(topgun.OrderedOf[task, int]("weight")), `holds float64, not int`},
		{errorOf(topgun.TextOf[task, string]("status")), `holds topgun_test.status, not string`},
		{errorOf(topgun.TextOf[task, string]("tags")), `holds []string, not string`},
		{errorOf(topgun.ListOf[task, int]("tags")), `the field "tags" of topgun_test.task holds []string, which is no list of int`},
		{errorOf(topgun.ListOf[task, byte]("digest")), `holds []uint8, which is no list of uint8`},
		{errorOf(topgun.ListOf[task, byte]("title")), `holds string, which is no list of uint8`},
		{errorOf(topgun.FieldOf[task, big.Int]("amount")), `holds *big.Int, not big.Int`},
		{errorOf(topgun.FieldOf[*task, int]("priority")), `*topgun_test.task is a pointer; ask for fields of topgun_test.task`},
		{errorOf(topgun.FieldOf[int, int]("priority")), `int has no field "priority": int has no fields`},
		{errorOf(topgun.OrderedOf[struct{ L level }, level]("L")), `holds topgun_test.level, which is written as text and so is in no order; use FieldOf`},
	} {
		var e *topgun.QueryError
		if !errors.As(c.err, &e) || !errors.Is(c.err, topgun.ErrInvalidQuery) || e.Name != "INVALID_QUERY" || !strings.Contains(e.Reason, c.want) {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
	}
	for _, err := range []error{
		errorOf(topgun.FieldOf[map[string]any, int]("a.b")),
		errorOf(topgun.FieldOf[any, int]("a.b")),
		errorOf(topgun.FieldOf[topgun.Raw, int]("a.b")),
		errorOf(topgun.ListOf[any, int]("a.b")),
		errorOf(topgun.ListOf[struct{ L [3]byte }, byte]("L")),
		errorOf(topgun.FieldOf[struct{ L level }, level]("L")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, topgun.ErrInvalidQuery) {
			t.Errorf("Must panics with %v", err)
		}
	}()
	topgun.Must(topgun.FieldOf[task, int]("none"))
}

// level is a number that is written as text.
type level int

func (l level) MarshalText() ([]byte, error) { return fmt.Append(nil, "level ", int(l)), nil }

// claim is a condition, and the same in Go.
type claim struct {
	is    topgun.Condition[task]
	holds func(key string, r *task) bool
}

func tasks() *rapid.Generator[task] {
	word := rapid.SampledFrom([]string{"", "a", "ab", "B", "c"})
	return rapid.Custom(func(t *rapid.T) task {
		r := task{
			Title: word.Draw(t, "title"), Priority: rapid.IntRange(-2, 3).Draw(t, "priority"), Status: status(word.Draw(t, "status")),
			Tags: rapid.SliceOfN(word, 0, 3).Draw(t, "tags"), Due: time.Unix(rapid.Int64Range(0, 2).Draw(t, "due"), 0).UTC(),
			Owner: person{Name: word.Draw(t, "owner")}, Dotted: rapid.Bool().Draw(t, "dotted"), Digest: []byte(word.Draw(t, "digest")),
			Amount: big.NewInt(rapid.Int64Range(0, 2).Draw(t, "amount")),
		}
		if rapid.Bool().Draw(t, "more") {
			w, m := float64(rapid.IntRange(0, 4).Draw(t, "weight"))/2, word.Draw(t, "mail")
			r.Weight, r.Owner.Mail, r.Labels = &w, &m, map[string]string{"color": word.Draw(t, "color")}
			r.Extra = map[string]any{"deep": map[string]any{"n": rapid.IntRange(0, 2).Draw(t, "n")}}
		}
		return r
	})
}

// claims draws conditions of every kind, on every field.
func claims(t *rapid.T, depth int) claim {
	word := rapid.SampledFrom([]string{"", "a", "b", "ab", "B"})
	if depth > 0 && rapid.Bool().Draw(t, "branch") {
		a, b := claims(t, depth-1), claims(t, depth-1)
		switch rapid.IntRange(0, 2).Draw(t, "which") {
		case 0:
			return claim{topgun.All(a.is, b.is), func(k string, r *task) bool { return a.holds(k, r) && b.holds(k, r) }}
		case 1:
			return claim{topgun.Any(a.is, b.is), func(k string, r *task) bool { return a.holds(k, r) || b.holds(k, r) }}
		}
		return claim{topgun.Not(a.is), func(k string, r *task) bool { return !a.holds(k, r) }}
	}
	w, w2, n, n2 := word.Draw(t, "w"), word.Draw(t, "w2"), rapid.IntRange(-1, 2).Draw(t, "n"), rapid.IntRange(-1, 2).Draw(t, "n2")
	f, at := float64(n)/2, time.Unix(int64(max(n, 0)), 0).UTC()
	deep := func(r *task) int {
		m, _ := r.Extra.(map[string]any)
		in, _ := m["deep"].(map[string]any)
		v, ok := in["n"].(int)
		if !ok {
			return -9
		}
		return v
	}
	fold := func(s, part string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(part)) }
	all := []claim{
		{topgun.Condition[task]{}, func(string, *task) bool { return true }},
		{title.Eq(w), func(_ string, r *task) bool { return r.Title == w }},
		{title.HasPrefix(w), func(_ string, r *task) bool { return strings.HasPrefix(r.Title, w) }},
		{title.HasSuffix(w), func(_ string, r *task) bool { return strings.HasSuffix(r.Title, w) }},
		{title.Contains(w), func(_ string, r *task) bool { return fold(r.Title, w) }},
		{title.Like(w + "%"), func(_ string, r *task) bool {
			return strings.HasPrefix(strings.ToLower(r.Title), strings.ToLower(w))
		}},
		{title.Matches("^(" + w + ")+$"), func(_ string, r *task) bool { return regexp.MustCompile("^(" + w + ")+$").MatchString(r.Title) }},
		{title.Gt(w), func(_ string, r *task) bool { return r.Title > w }},
		{priority.Ne(n), func(_ string, r *task) bool { return r.Priority != n }},
		{priority.Lt(n), func(_ string, r *task) bool { return r.Priority < n }},
		{priority.Le(n), func(_ string, r *task) bool { return r.Priority <= n }},
		{priority.Ge(n), func(_ string, r *task) bool { return r.Priority >= n }},
		{priority.In(n, n2), func(_ string, r *task) bool { return r.Priority == n || r.Priority == n2 }},
		{priority.In(), func(string, *task) bool { return false }},
		{priority.Between(n, n2), func(_ string, r *task) bool { return n <= r.Priority && r.Priority <= n2 }},
		{weight.Gt(f), func(_ string, r *task) bool { return r.Weight != nil && *r.Weight > f }},
		{weight.Ne(f), func(_ string, r *task) bool { return r.Weight != nil && *r.Weight != f }},
		{weight.IsNull(), func(_ string, r *task) bool { return r.Weight == nil }},
		{mail.IsNotNull(), func(_ string, r *task) bool { return r.Owner.Mail != nil }},
		{state.In(status(w), status(w2)), func(_ string, r *task) bool { return r.Status == status(w) || r.Status == status(w2) }},
		{state.HasPrefix(w), func(_ string, r *task) bool { return strings.HasPrefix(string(r.Status), w) }},
		{tags.Contains(w), func(_ string, r *task) bool { return slices.Contains(r.Tags, w) }},
		{tags.ContainsAll(w, w2), func(_ string, r *task) bool { return slices.Contains(r.Tags, w) && slices.Contains(r.Tags, w2) }},
		{tags.ContainsAny(w, w2), func(_ string, r *task) bool { return slices.Contains(r.Tags, w) || slices.Contains(r.Tags, w2) }},
		{tags.Eq([]string{w, w2}), func(_ string, r *task) bool { return slices.Equal(r.Tags, []string{w, w2}) }},
		{first.Eq(w), func(_ string, r *task) bool { return len(r.Tags) > 0 && r.Tags[0] == w }},
		{due.Eq(at), func(_ string, r *task) bool { return r.Due.Equal(at) }},
		{owner.Eq(w), func(_ string, r *task) bool { return r.Owner.Name == w }},
		{color.Eq(w), func(_ string, r *task) bool { c, ok := r.Labels["color"]; return ok && c == w }},
		{dotted.Eq(n > 0), func(_ string, r *task) bool { return r.Dotted == (n > 0) }},
		{digest.Eq([]byte(w)), func(_ string, r *task) bool { return string(r.Digest) == w }},
		{digest.In([]byte(w), []byte(w2)), func(_ string, r *task) bool { return string(r.Digest) == w || string(r.Digest) == w2 }},
		{amount.Eq(big.NewInt(int64(n))), func(_ string, r *task) bool { return r.Amount.Int64() == int64(n) }},
		{extra.Ge(n), func(_ string, r *task) bool { return deep(r) >= n }},
		{done.Eq(false), func(_ string, r *task) bool { return !r.Done }},
		{key.Le("k3"), func(k string, _ *task) bool { return k <= "k3" }},
		{topgun.Condition[task](topgun.Is("title", "eq", w)), func(_ string, r *task) bool { return r.Title == w }},
	}
	return rapid.SampledFrom(all).Draw(t, "condition")
}

// TestConditionsHoldAsTheySay compares conditions with the same in Go.
func TestConditionsHoldAsTheySay(t *testing.T) {
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline(), topgun.WithLimits(topgun.Limits{QueueOps: 1 << 20})))(t)
	t.Cleanup(c.Close)
	m := topgun.MapOf[task](c, "tasks")
	rapid.Check(t, func(rt *rapid.T) {
		records := map[string]*task{}
		for i := range 8 {
			key, r := fmt.Sprint("k", i), tasks().Draw(rt, "record")
			records[key] = &r
			must(m.Set(key, r))(t)
		}
		for range 8 {
			claim := claims(rt, 2)
			live := must(topgun.Where(claim.is).QueryLocal(within(t), m))(t)
			rows := must(live.Next())(t).Rows
			live.Close()
			got := map[string]bool{}
			for _, row := range rows {
				got[row.Key] = true
				if want := records[row.Key]; row.Value.Title != want.Title || row.Value.Priority != want.Priority || !slices.Equal(row.Value.Tags, want.Tags) {
					rt.Fatalf("%s is %+v, was written as %+v", row.Key, row.Value, want)
				}
			}
			for key, r := range records {
				if claim.holds(key, r) != got[key] {
					rt.Fatalf("%v: it is %t for %s %+v", claim.is, got[key], key, r)
				}
			}
		}
	})
}
