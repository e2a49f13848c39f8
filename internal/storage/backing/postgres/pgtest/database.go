package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the server of all tests of one process.
var shared struct {
	once   sync.Once
	server *Server
	url    string
	err    error
	number atomic.Uint32
}

// Main runs the tests of a package and removes the server that they shared. It
// returns what os.Exit is to be called with.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			return 1
		}
	}
	return code
}

// sharedURL is the server that all tests of the process use.
func sharedURL(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		if shared.url = os.Getenv(urlVariable); shared.url != "" {
			return
		}
		if shared.server, shared.err = start(); shared.err == nil {
			shared.url = shared.server.URL()
		}
	})
	if shared.err != nil {
		giveUp(t, shared.err)
	}
	return shared.url
}

// Schema makes an empty schema on the shared server and returns the URL of a
// client whose tables are in it. It is dropped with the test.
func Schema(t testing.TB) string {
	t.Helper()
	base := sharedURL(t)
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), shared.number.Add(1))
	Exec(t, base, "create schema "+name)
	t.Cleanup(func() { Exec(t, base, "drop schema "+name+" cascade") })
	return WithParameter(t, base, "search_path", name)
}

// WithParameter returns the URL with one more of its parameters set.
func WithParameter(t testing.TB, base, name, value string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("parse the URL of the server: %v", err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs one statement.
func Exec(t testing.TB, at, statement string) {
	t.Helper()
	ctx := context.Background() // cleanups run after the test's context has ended
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Value runs a query for one value.
func Value[T any](t testing.TB, at, query string) T {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var v T
	if err := conn.QueryRow(ctx, query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// Address is host and port of a URL.
func Address(t testing.TB, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatalf("parse the URL of the server: %v", err)
	}
	return u.Host
}

// WithUser returns the URL for another user.
func WithUser(t testing.TB, base, name, password string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("parse the URL of the server: %v", err)
	}
	u.User = url.UserPassword(name, password)
	return u.String()
}
