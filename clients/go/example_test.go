package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
)

// exampleServer runs a server for an example.
func exampleServer() (url string, stop func()) {
	dir, err := os.MkdirTemp("", "topgun-example")
	if err != nil {
		panic(err)
	}
	end, port, err := runServer(dir, []string{"TOPGUN_NO_AUTH=1"})
	if err != nil {
		panic(err)
	}
	return "ws://127.0.0.1:" + port + "/ws", func() {
		if err := errors.Join(end(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}

// The first ten lines, as in the README, with the errors looked at.
func Example() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	type Todo struct {
		Title string `json:"title"`
		Rank  int    `json:"rank"`
		Done  bool   `json:"done"`
	}

	client, err := topgun.Connect(ctx, url) // such as ws://localhost:8080/ws
	if err != nil {
		panic(err)
	}
	defer client.Close()
	todos := topgun.MapOf[Todo](client, "todos")
	write, err := todos.Set("t1", Todo{Title: "milk", Rank: 1}) // local at once, online or not
	if err != nil {
		panic(err)
	}
	level, err := write.Wait(ctx) // on the server's disk
	fmt.Println(level, err)
	live, err := todos.Query(ctx, topgun.Query{
		Where: map[string]any{"done": false}, Sort: []topgun.Sort{{By: "rank"}}, Limit: 20,
	})
	if err != nil {
		panic(err)
	}
	for result, err := range live.All() { // now, and after every change
		fmt.Println(len(result.Rows), result.Updates, err)
		break
	}
	// Output:
	// PERSISTED <nil>
	// 1 [] <nil>
}

func ExampleMap_Query() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	type Player struct {
		Name  string `json:"name"`
		Score int    `json:"score"`
	}

	c, err := topgun.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	players := topgun.MapOf[Player](c, "players")
	for i, name := range []string{"Ann", "Bob", "Eve"} {
		if _, err := players.Set(name, Player{name, 10 * i}); err != nil {
			panic(err)
		}
	}
	top, err := players.Query(ctx, topgun.Query{
		Predicate: topgun.Is("score", "gte", 0),
		Sort:      []topgun.Sort{{By: "score", Descending: true}},
		Limit:     2,
	})
	if err != nil {
		panic(err)
	}
	for result, err := range top.All() {
		if err != nil {
			panic(err)
		}
		fmt.Println(result.Rows)
		if result.Updates != nil {
			fmt.Println(result.Updates)
			break // ends the subscription
		}
		if _, err := players.Set("Bob", Player{"Bob", 30}); err != nil {
			panic(err)
		}
	}
	// Output:
	// [{Eve {Eve 20}} {Bob {Bob 10}}]
	// [{Bob {Bob 30}} {Eve {Eve 20}}]
	// [{updated Bob {Bob 30}}]
}

func ExampleMap_QueryLocal() {
	ctx := context.Background()
	type Player struct {
		Name  string `json:"name"`
		Score int    `json:"score"`
	}

	c, err := topgun.Connect(ctx, "ws://localhost:1/ws", topgun.StartOffline()) // nobody is there
	if err != nil {
		panic(err)
	}
	defer c.Close()
	players := topgun.MapOf[*Player](c, "players")
	for i, name := range []string{"Ann", "Bob", "Eve"} {
		if _, err := players.Set(name, &Player{name, 10 * i}); err != nil {
			panic(err)
		}
	}
	top, err := players.QueryLocal(ctx, topgun.Query{Sort: []topgun.Sort{{By: "score", Descending: true}}, Limit: 2})
	if err != nil {
		panic(err)
	}
	for result, err := range top.All() { // at once, and after every change of the replica
		if err != nil {
			panic(err)
		}
		for _, row := range result.Rows {
			fmt.Println(row.Value.Name, row.Value.Score, "more:", result.More)
		}
		break
	}
	// Output:
	// Eve 20 more: true
	// Bob 10 more: true
}

// Player is a record with its fields, which queries compare and order by.
type Player struct {
	Name  string   `json:"name"`
	Score int      `json:"score"`
	Teams []string `json:"teams"`
}

var (
	playerName  = topgun.Must(topgun.TextOf[Player, string]("name"))
	playerScore = topgun.Must(topgun.OrderedOf[Player, int]("score"))
	playerTeams = topgun.Must(topgun.ListOf[Player, string]("teams"))
)

func ExampleSelection() {
	ctx := context.Background()
	c, err := topgun.Connect(ctx, "ws://localhost:1/ws", topgun.StartOffline()) // nobody is there
	if err != nil {
		panic(err)
	}
	defer c.Close()
	players := topgun.MapOf[Player](c, "players")
	for i, name := range []string{"Ann", "Bob", "Eve", "Joe"} {
		if _, err := players.Set(name, Player{name, 10 * i, []string{"red"}}); err != nil {
			panic(err)
		}
	}
	best := topgun.Where(
		playerTeams.Contains("red"),
		topgun.Any(playerScore.Ge(20), playerName.HasPrefix("B")),
	).Sort(playerScore.Desc()).Limit(2)

	live, err := best.QueryLocal(ctx, players) // Query asks the server
	if err != nil {
		panic(err)
	}
	var page topgun.Result[*Player]
	for result, err := range live.All() {
		if err != nil {
			panic(err)
		}
		for _, row := range result.Rows {
			fmt.Print(row.Value.Name, " ", row.Value.Score, ", ")
		}
		fmt.Println("more:", result.More)
		if page.Rows != nil {
			fmt.Println("Joe is the same:", result.Rows[0].Value == page.Rows[0].Value)
			break
		}
		page = result
		if _, err := players.Set("Eve", Player{"Eve", 25, []string{"red"}}); err != nil {
			panic(err)
		}
	}

	behind, err := best.After(page.Cursor).QueryLocal(ctx, players)
	if err != nil {
		panic(err)
	}
	next, err := behind.Next()
	fmt.Println(next.Rows[0].Key, "more:", next.More, err)
	// Output:
	// Joe 30, Eve 20, more: true
	// Joe 30, Eve 25, more: true
	// Joe is the same: true
	// Bob more: false <nil>
}

// A field that is not there is found when the variables of the package are made.
func ExampleFieldOf() {
	_, err := topgun.FieldOf[Player, int]("points")
	fmt.Println(err)
	_, err = topgun.FieldOf[Player, string]("score")
	fmt.Println(err)
	// Output:
	// topgun: query refused: INVALID_QUERY: topgun_test.Player has no field "points": topgun_test.Player has name, score, teams
	// topgun: query refused: INVALID_QUERY: the field "score" of topgun_test.Player holds int, not string
}

func ExampleORMap() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := topgun.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	tags := topgun.ORMapOf[string](c, "tags")
	for _, tag := range []string{"red", "blue", "red"} {
		if _, err := tags.Add("car", tag); err != nil {
			panic(err)
		}
	}
	set, _ := tags.Get("car")
	fmt.Println(set)
	w, err := tags.Remove("car", "red")
	if err != nil {
		panic(err)
	}
	if _, err := w.Wait(ctx); err != nil {
		panic(err)
	}
	set, _ = tags.Get("car")
	fmt.Println(set)
	// Output:
	// [red blue]
	// [blue]
}

func ExampleCounter() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := topgun.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	visits := topgun.CounterOf(c, "visits")
	if err := errors.Join(visits.Increment(5), visits.Decrement(2)); err != nil {
		panic(err)
	}
	fmt.Println(visits.Value(), visits.Sync(ctx))
	// Output: 3 <nil>
}

func ExampleTopic() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	reader, err := topgun.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer reader.Close()
	news, err := topgun.TopicOf[string](reader, "news").Subscribe(ctx)
	if err != nil {
		panic(err)
	}
	// A message reaches who is subscribed when it is published: what the server
	// answers after the subscription shows that it has it.
	if err := topgun.MapOf[any](reader, "any").Sync(ctx); err != nil {
		panic(err)
	}

	writer, err := topgun.Connect(ctx, url)
	if err != nil {
		panic(err)
	}
	defer writer.Close()
	if err := topgun.TopicOf[string](writer, "news").Publish("hello"); err != nil {
		panic(err)
	}
	m, err := news.Next()
	fmt.Println(m.Data, err)
	// Output: hello <nil>
}

// A refused write is told to whoever waits for it, and to the error handler.
func ExampleRejectedError() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := topgun.Connect(ctx, url, topgun.WithErrorHandler(func(err error) {
		if errors.Is(err, topgun.ErrRejected) {
			fmt.Println("the handler knows")
		}
	}))
	if err != nil {
		panic(err)
	}
	m := topgun.MapOf[int](c, "m")
	w, err := m.Set("a", 1, topgun.WithConcern(topgun.Replicated)) // by a server that is alone
	if err != nil {
		panic(err)
	}
	_, err = w.Wait(ctx)
	var no *topgun.RejectedError
	if errors.As(err, &no) {
		fmt.Println(no.Kind, no.Key, no.Name)
	}
	_, err = m.Get("a")
	fmt.Println(errors.Is(err, topgun.ErrNotFound))
	c.Close()
	// Unordered output:
	// PUT a WRITE_CONCERN_UNAVAILABLE
	// true
	// the handler knows
}
