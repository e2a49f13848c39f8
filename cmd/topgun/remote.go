package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// remote is a running server, as its administrator reaches it.
type remote struct {
	Server string `default:"http://localhost:8080" help:"The running server." placeholder:"URL"`
	Token  string `env:"TOPGUN_TOKEN" help:"A token with the role admin, where the server wants one." placeholder:"JWT"`
}

// refusal is any answer of a server but 200.
type refusal struct {
	status  int
	message string
}

// Error repeats the server's reason.
func (e *refusal) Error() string { return "the server refuses: " + e.message }

// Validate refuses a server that is no URL. It is called by the parser.
func (r remote) Validate() error {
	u, err := url.Parse(r.Server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--server: %q is not the URL of a server, such as http://localhost:8080", r.Server)
	}
	return nil
}

// do posts a body, which may be empty, and returns that of the answer, which the
// caller closes. What the server refuses is a *refusal.
func (r remote) do(ctx context.Context, path string, body []byte) (io.ReadCloser, error) {
	target := strings.TrimSuffix(r.Server, "/") + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var p transport.Problem
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &p) != nil {
		p.Message = resp.Status // a proxy's answer, for example
	}
	return nil, &refusal{resp.StatusCode, p.Message}
}
