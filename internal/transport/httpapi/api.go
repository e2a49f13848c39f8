package httpapi

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// Options configures an API. The zero value of every field but Hosts means its
// default.
type Options struct {
	// Hosts are the Host headers that are answered. The zero value is loopback
	// names only.
	Hosts transport.Hosts

	// Origins are the pages that may read shared files. The zero value is pages
	// of the same host.
	Origins transport.Origins

	// Files are served as they are.
	Files []File

	// MaxBodyBytes bounds a request's body. Default 2 MiB.
	MaxBodyBytes int64
}

// API is the handler of everything that a node's HTTP server is asked.
type API struct {
	mux    *http.ServeMux
	socket http.Handler
	random clock.Random
	opt    Options
}

// New returns an API that reports health and metrics, and gives requests for
// /ws, and those for / that ask for an upgrade, to socket.
func New(health Health, metrics prometheus.Gatherer, socket http.Handler, random clock.Random, opt Options) *API {
	if opt.MaxBodyBytes == 0 {
		opt.MaxBodyBytes = 2 << 20
	}
	a := &API{mux: http.NewServeMux(), socket: socket, random: random, opt: opt}
	mountHealth(a.mux, health)
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	front := http.Handler(http.HandlerFunc(about))
	for _, f := range opt.Files {
		if f.Path == "/" {
			front = serveFile(f, opt.Origins)
			continue
		}
		a.mux.Handle("GET "+f.Path, serveFile(f, opt.Origins))
	}
	a.mux.Handle("GET /{$}", front)
	return a
}

// Handle mounts an endpoint under a pattern of [http.ServeMux]. It panics when
// the pattern is malformed or taken, and is called before the API serves.
func (a *API) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(requestIDHeader, a.requestID(r))
	if r.URL.Path == "/ws" || r.URL.Path == "/" && transport.IsUpgrade(r) {
		a.socket.ServeHTTP(w, r) // checks the host itself, and counts refusals
		return
	}
	if !a.opt.Hosts.Allow(r.Host) {
		transport.Problem{
			Code:    http.StatusForbidden,
			Message: fmt.Sprintf("host %.100q is not served here; add it to the allowed hosts", r.Host),
		}.Write(w)
		return
	}
	if r.ContentLength > a.opt.MaxBodyBytes {
		w.Header().Set("Connection", "close") // rather than read what nobody wants
		tooLarge(a.opt.MaxBodyBytes).Write(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, a.opt.MaxBodyBytes)
	if h, pattern := a.mux.Handler(r); pattern == "" {
		transport.Unserved(h, w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// about tells a person who opened the address what is here.
func about(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("This is a TopGun server. Clients connect by WebSocket to /ws; /health says how it is.\n"))
}
