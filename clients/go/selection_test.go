package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/clients/go"
)

// fill writes six tasks.
func fill(t *testing.T, m *topgun.Map[task]) {
	t.Helper()
	for i, name := range []string{"a", "b", "c", "d", "e", "f"} {
		must(m.Set(name, task{Title: name, Priority: i / 2, Owner: person{Name: "N" + name}, Tags: []string{name}}))(t)
	}
}

func keys[T any](rows []topgun.Row[T]) string {
	var out []string
	for _, row := range rows {
		out = append(out, row.Key)
	}
	return fmt.Sprint(out)
}

// TestSelections asks the server and the replica.
func TestSelections(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[task](s.connect(), "tasks")
	fill(t, m)
	for name, ask := range map[string]func(topgun.Selection[task]) (*topgun.Subscription[topgun.Result[*task]], error){
		"server": func(q topgun.Selection[task]) (*topgun.Subscription[topgun.Result[*task]], error) {
			return q.Query(within(t), m)
		},
		"replica": func(q topgun.Selection[task]) (*topgun.Subscription[topgun.Result[*task]], error) {
			return q.QueryLocal(within(t), m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := topgun.Where[task]().Sort(priority.Desc(), title.Asc())
			live := must(ask(all.Limit(4).Total()))(t)
			before := must(live.Next())(t)
			if keys(before.Rows) != "[e f c d]" || before.Total != 6 || !before.More {
				t.Fatalf("rows %v of %d, more %t", keys(before.Rows), before.Total, before.More)
			}
			behind := must(must(ask(all.Limit(4).After(before.Cursor)))(t).Next())(t)
			if keys(behind.Rows) != "[a b]" || behind.More {
				t.Errorf("behind them %v", keys(behind.Rows))
			}
			must(m.Set("f", task{Title: "f", Priority: 2, Done: true}))(t)
			after := must(live.Next())(t)
			for i, row := range after.Rows {
				if same := row.Value == before.Rows[i].Value; same != (row.Key != "f") {
					t.Errorf("%s is the same: %t", row.Key, same)
				}
			}
			if len(after.Updates) != 1 || after.Updates[0].Value != after.Rows[1].Value || !after.Rows[1].Value.Done {
				t.Errorf("updates %+v", after.Updates)
			}
			must(m.Set("f", task{Title: "f", Priority: 2, Owner: person{Name: "Nf"}, Tags: []string{"f"}}))(t)

			few := must(must(ask(topgun.Where(owner.Eq("Nc"), tags.Contains("c")).Fields(owner, priority, owner)))(t).Next())(t)
			if len(few.Rows) != 1 || fmt.Sprintf("%+v", *few.Rows[0].Value) != fmt.Sprintf("%+v", task{Priority: 1, Owner: person{Name: "Nc"}}) {
				t.Errorf("rows %+v", few.Rows)
			}
		})
	}
	names := must(must(topgun.Where(title.Eq("a")).Fields(key).Query(within(t), m))(t).Next())(t)
	if len(names.Rows) != 1 || names.Rows[0].Value.Title != "" {
		t.Errorf("rows of keys alone %+v", names.Rows)
	}
	var pages []string
	for rows, err := range topgun.Where(priority.Ge(1)).Sort(title.Desc()).Limit(3).Pages(within(t), m) {
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, keys(rows))
	}
	if fmt.Sprint(pages) != "[[f e d] [c]]" {
		t.Errorf("pages %v", pages)
	}
}

func TestSelectionsAreValues(t *testing.T) {
	base := topgun.Where(done.Eq(false)).Sort(priority.Asc()).Fields(title)
	_ = base.Limit(1).Total().After("x").Sort(title.Desc()).Fields(owner)
	q := base.Untyped()
	if q.Limit != 0 || q.Total || q.After != "" || !slices.Equal(q.Sort, []topgun.Sort{{By: "priority"}}) || !slices.Equal(q.Fields, []string{"title"}) {
		t.Errorf("it has become %+v", q)
	}
	q.Sort[0].By, q.Fields[0] = "other", "other"
	if again := base.Untyped(); again.Sort[0].By != "priority" || again.Fields[0] != "title" {
		t.Errorf("it has become %+v", again)
	}
	if priority.Name() != "priority" || key.Name() != "_key" || owner.Name() != "owner.name" {
		t.Error("names")
	}
}

// TestGroupsBesideFields: groups are asked for with a Query, of which fields and
// conditions may be part.
func TestGroupsBesideFields(t *testing.T) {
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline()))(t)
	t.Cleanup(c.Close)
	fill(t, topgun.MapOf[task](c, "tasks"))
	type total struct {
		Priority int `json:"priority"`
		Count    int `json:"__count"`
	}
	q := topgun.Where(title.Gt("a")).Untyped()
	q.GroupBy = []string{priority.Name()}
	r := must(must(topgun.MapOf[total](c, "tasks").QueryLocal(within(t), q))(t).Next())(t)
	if fmt.Sprint(r.Rows) != "[{0 {0 1}} {1 {1 2}} {2 {2 2}}]" {
		t.Errorf("groups %v", r.Rows)
	}
}

func TestSelectionsThatAreRefused(t *testing.T) {
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline()))(t)
	t.Cleanup(c.Close)
	m, nameless := topgun.MapOf[task](c, "tasks"), topgun.MapOf[task](c, "")
	if _, err := topgun.Where(title.Matches("(")).QueryLocal(within(t), m); !errors.Is(err, topgun.ErrInvalidQuery) {
		t.Errorf("got %v", err)
	}
	if _, err := topgun.Where(title.Matches("(")).Query(within(t), m); !errors.Is(err, topgun.ErrInvalidQuery) {
		t.Errorf("got %v", err)
	}
	for _, err := range topgun.Where[task]().Pages(within(t), nameless) {
		if !errors.Is(err, topgun.ErrInvalidName) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := topgun.Where[task]().QueryLocal(within(t), nameless); !errors.Is(err, topgun.ErrInvalidName) {
		t.Errorf("got %v", err)
	}
}
