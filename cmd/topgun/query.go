package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/topgunbuild/topgun-go/internal/transport/adminapi"
)

// queryCommand is about queries.
type queryCommand struct {
	Explain explainCommand `cmd:"" help:"Answer a query once and say how: path, records looked at, time."`
}

// explainCommand has a server explain a query.
type explainCommand struct {
	Map   string `arg:"" help:"The map."`
	Query string `arg:"" optional:"" default:"{}" help:"The query as JSON: where or predicate, sort, limit, …" placeholder:"JSON"`
	JSON  bool   `name:"json" help:"Write the server's answer as it is."`

	remote
}

// Help is what `topgun query explain --help` says beyond its flags.
func (explainCommand) Help() string {
	return `Example: topgun query explain todos '{"where":{"done":false},"sort":[{"field":"at","direction":"desc"}],"limit":20}'. ` +
		`docs/operations/indexes.md explains the paths.`
}

// Run asks and prints.
func (c explainCommand) Run(ctx context.Context, p process) error {
	if !json.Valid([]byte(c.Query)) {
		return fmt.Errorf("the query is not JSON: %s", c.Query)
	}
	body, err := json.Marshal(struct {
		MapName string          `json:"mapName"`
		Query   json.RawMessage `json:"query"`
	}{c.Map, json.RawMessage(c.Query)})
	if err != nil {
		return err
	}
	in, err := c.do(ctx, adminapi.ExplainPath, body)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, 64<<20))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.JSON {
		_, err = p.stdout.Write(text)
		return err
	}
	return printExplanation(p.stdout, text)
}

func printExplanation(w io.Writer, text []byte) error {
	var x struct {
		Lanes []struct {
			Path      string
			LookedAt  int
			Rows      int
			Estimates []struct {
				Path       string
				Rows, Cost int
			}
		}
		LookedAt, Rows int
		TookMicros     int64
		Advice         *struct{ MapName, Attribute, IndexType string }
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("understand the answer: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d records looked at for %d rows in %v\n", x.LookedAt, x.Rows, time.Duration(x.TookMicros)*time.Microsecond)
	for i, l := range x.Lanes {
		fmt.Fprintf(&b, "lane %d: %s: %d looked at, %d rows\n", i, l.Path, l.LookedAt, l.Rows)
		for _, e := range l.Estimates {
			fmt.Fprintf(&b, "  about %d records, cost %d: %s\n", e.Rows, e.Cost, e.Path)
		}
	}
	if a := x.Advice; a != nil {
		fmt.Fprintf(&b, "an index would help: {\"mapName\":%q,\"attribute\":%q,\"indexType\":%q}\n", a.MapName, a.Attribute, a.IndexType)
	}
	_, err := w.Write(b.Bytes())
	return err
}
