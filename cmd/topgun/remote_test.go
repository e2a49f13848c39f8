package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/grid/backup"
)

// serve answers every request in one way and tells of them.
func serve(t *testing.T, status int, answer string) (remote, <-chan *http.Request, <-chan []byte) {
	t.Helper()
	requests, bodies := make(chan *http.Request, 8), make(chan []byte, 8)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- r
		bodies <- body
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return remote{Server: s.URL + "/", Token: "secret"}, requests, bodies
}

func TestRequestsToARunningServer(t *testing.T) {
	r, requests, bodies := serve(t, http.StatusOK, "answer")
	in, err := r.snapshot(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if text, err := io.ReadAll(in); string(text) != "answer" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	req := <-requests
	if req.Method != http.MethodPost || req.URL.Path != "/api/admin/backup" || req.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("asked %s %s with %q", req.Method, req.URL, req.Header)
	}
	if body := <-bodies; len(body) > 0 {
		t.Errorf("sent %q", body)
	}
}

func TestAnswersOfARunningServerThatAreNone(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
		want   string
		base   bool
	}{
		{http.StatusForbidden, `{"message":"administrators only"}`, "the server refuses: administrators only", false},
		{http.StatusBadGateway, "<html>", "the server refuses: 502 Bad Gateway", false},
		{http.StatusConflict, `{"message":"another epoch"}`, backup.ErrBase.Error() + " (another epoch)", true},
	} {
		r, _, _ := serve(t, c.status, c.answer)
		_, err := r.snapshot(context.Background(), nil)
		if err == nil || err.Error() != c.want || errors.Is(err, backup.ErrBase) != c.base {
			t.Errorf("%d %s: %v", c.status, c.answer, err)
		}
	}
}

func TestExplainSendsTheNameOfTheMap(t *testing.T) {
	const name = "a\x7f\"\u2028" // what Go's own quotes make of it is no JSON
	r, _, bodies := serve(t, http.StatusOK, `{"rows":1}`)
	var out bytes.Buffer
	c := explainCommand{Map: name, Query: `{"limit":1}`, JSON: true, remote: r}
	if err := c.Run(context.Background(), process{stdout: &out}); err != nil || out.String() != `{"rows":1}` {
		t.Fatalf("wrote %q, %v", &out, err)
	}
	var sent struct {
		MapName string
		Query   map[string]int
	}
	if err := json.Unmarshal(<-bodies, &sent); err != nil || sent.MapName != name || sent.Query["limit"] != 1 {
		t.Errorf("sent %+v, %v", sent, err)
	}
}
