package httpapi

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// long is worth compressing.
var long = []byte(strings.Repeat("export const a = 1;\n", 100))

// site is an API that serves a page with a script, on this machine only.
func site(t *testing.T) *API {
	t.Helper()
	origins, err := transport.NewOrigins([]string{"https://app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	socket := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	return New(health{state: "ready"}, prometheus.NewRegistry(), socket, counting{}, Options{
		Hosts: transport.NewHosts(nil, true), Origins: origins,
		Files: []File{
			{Path: "/", Type: "text/html; charset=utf-8", Body: []byte("<p>page"), Policy: "default-src 'self'"},
			{Path: "/a.js", Type: "text/javascript", Body: []byte("export {}"), Shared: true},
			{Path: "/long.js", Type: "text/javascript", Body: long},
			{Path: "/b.js", Type: "text/javascript", Body: []byte("export {} //")},
		},
	})
}

func TestFilesAreServedAsTheyAre(t *testing.T) {
	a := site(t)
	for _, c := range []struct{ path, body, contentType, policy string }{
		{"http://localhost/", "<p>page", "text/html; charset=utf-8", "default-src 'self'"},
		{"http://localhost/?from=here", "<p>page", "text/html; charset=utf-8", "default-src 'self'"},
		{"http://localhost/a.js", "export {}", "text/javascript", noPolicy},
	} {
		w := ask(a, "GET", c.path, "")
		h := w.Header()
		if w.Code != 200 || w.Body.String() != c.body || h.Get("Content-Type") != c.contentType ||
			h.Get("Content-Security-Policy") != c.policy || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s is answered with %d %q %v", c.path, w.Code, w.Body, h)
		}
		if w := ask(a, "HEAD", c.path, ""); w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("HEAD %s is answered with %d %q", c.path, w.Code, w.Body)
		}
	}
}

func TestFilesAreSentOnce(t *testing.T) {
	a := site(t)
	tag := ask(a, "GET", "http://localhost/a.js", "").Header().Get("ETag")
	other := ask(a, "GET", "http://localhost/b.js", "").Header().Get("ETag")
	if tag == "" || tag == other {
		t.Fatalf("the tags are %q and %q", tag, other)
	}
	if w := ask(a, "GET", "http://localhost/a.js", "", "If-None-Match", tag); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("the file that the browser has is answered with %d %q", w.Code, w.Body)
	}
	if w := ask(a, "GET", "http://localhost/a.js", "", "If-None-Match", other); w.Code != 200 {
		t.Errorf("an older file is answered with %d", w.Code)
	}
}

func TestFilesAreCompressedForThoseWhoReadThat(t *testing.T) {
	a := site(t)
	plain := ask(a, "GET", "http://localhost/long.js", "").Header().Get("Etag")
	for _, c := range []struct {
		path, accept string
		packed       bool
	}{
		{"/long.js", "gzip", true},
		{"/long.js", "br, GZIP;q=0.5", true},
		{"/long.js", "", false},
		{"/long.js", "br", false},
		{"/long.js", "gzip;q=0", false},
		{"/long.js", "gzip;q=x", false},
		{"/a.js", "gzip", false}, // nothing to gain
	} {
		w := ask(a, "GET", "http://localhost"+c.path, "", "Accept-Encoding", c.accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.packed {
			t.Errorf("%s for %q: compressed is %v", c.path, c.accept, got)
			continue
		}
		if !slices.Contains(w.Header()["Vary"], "Accept-Encoding") {
			t.Errorf("%s for %q: Vary is %q", c.path, c.accept, w.Header()["Vary"])
		}
		if !c.packed {
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(z); err != nil || !bytes.Equal(body, long) {
			t.Errorf("unpacked it is %.60q, %v", body, err)
		}
		tag := w.Header().Get("Etag")
		if again := ask(a, "GET", "http://localhost"+c.path, "", "Accept-Encoding", c.accept, "If-None-Match", tag); tag == plain || again.Code != 304 {
			t.Errorf("with the tag %s, plain %s, it is answered with %d", tag, plain, again.Code)
		}
	}
}

// TestNothingBesideFilesIsServed: there is no way from a path to the disk.
func TestNothingBesideFilesIsServed(t *testing.T) {
	a := site(t)
	for _, path := range []string{
		"/a.js/", "/a.js/x", "/b.js%00", "/../a.js", "/x/../a.js", "/..%2f..%2fetc/passwd", "/index.html", "//a.js", "/A.js", "/file.go",
	} {
		w := ask(a, "GET", "http://localhost"+path, "")
		// What the mux cleans, it redirects; the place it names is judged by itself.
		if w.Code != 404 && w.Code != 307 && w.Code != 301 {
			t.Errorf("%s is answered with %d %q", path, w.Code, w.Body)
		}
		if to := w.Header().Get("Location"); to != "" && to != "/a.js" {
			t.Errorf("%s leads to %q", path, to)
		}
	}
	if w := ask(a, "POST", "http://localhost/a.js", "x"); w.Code != 405 {
		t.Errorf("POST is answered with %d", w.Code)
	}
	if w := ask(a, "GET", "http://evil.example.com/", ""); w.Code != 403 || strings.Contains(w.Body.String(), "page") {
		t.Errorf("a foreign host is answered with %d %q", w.Code, w.Body)
	}
}

func TestTheFrontPageLeavesTheSocketAlone(t *testing.T) {
	a := site(t)
	if w := ask(a, "GET", "http://localhost/", "", "Connection", "Upgrade", "Upgrade", "websocket"); w.Code != 418 {
		t.Errorf("an upgrade at / is answered with %d", w.Code)
	}
}

func TestSharedFilesAreForPagesThatMayConnect(t *testing.T) {
	a := site(t)
	for _, c := range []struct{ path, origin, allowed string }{
		{"/a.js", "https://app.example.com", "https://app.example.com"},
		{"/a.js", "http://localhost:5173", "http://localhost:5173"},
		{"/a.js", "https://evil.example.com", ""},
		{"/a.js", "", ""},
		{"/b.js", "https://app.example.com", ""},
	} {
		h := ask(a, "GET", "http://localhost"+c.path, "", "Origin", c.origin).Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != c.allowed {
			t.Errorf("%s is allowed for %q, asked from %q", c.path, got, c.origin)
		}
		if shared := c.path == "/a.js"; shared != slices.Contains(h["Vary"], "Origin") || shared != (h.Get("Cross-Origin-Resource-Policy") == "") {
			t.Errorf("%s has the headers %v", c.path, h)
		}
	}
}
