package transport

import (
	"fmt"
	"net/http"
)

// Unserved answers a request that no pattern of a mux matches. h is what the mux would
// answer: it knows whether another method would do.
func Unserved(h http.Handler, w http.ResponseWriter, r *http.Request) {
	said := outcome{header: http.Header{}}
	h.ServeHTTP(&said, r)
	if said.status == http.StatusMethodNotAllowed {
		allow := said.header.Get("Allow")
		w.Header().Set("Allow", allow)
		Problem{
			Code:    http.StatusMethodNotAllowed,
			Message: fmt.Sprintf("method %.20q is not allowed here; use %s", r.Method, allow),
		}.Write(w)
		return
	}
	Problem{Code: http.StatusNotFound, Message: fmt.Sprintf("nothing is served at %.200q", r.URL.Path)}.Write(w)
}

// outcome keeps the status and headers of an answer and drops its text.
type outcome struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (o *outcome) Header() http.Header { return o.header }

// WriteHeader implements http.ResponseWriter.
func (o *outcome) WriteHeader(status int) { o.status = status }

// Write implements http.ResponseWriter.
func (o *outcome) Write(p []byte) (int, error) { return len(p), nil }
