package httpapi

import (
	"encoding/hex"
	"net/http"
)

// requestIDHeader carries an id by which a request is found again in logs.
const requestIDHeader = "X-Request-Id"

// maxRequestID bounds an id that somebody else chose.
const maxRequestID = 128

// requestID is the id that r came with if it is fit to be repeated, and a new
// one otherwise.
func (a *API) requestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); isPlain(id) {
		return id
	}
	return a.newUUID()
}

// newUUID is a random UUID (RFC 9562, version 4).
func (a *API) newUUID() string {
	var b [16]byte
	a.random.Fill(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}

// isPlain reports whether s is short, not empty, and visible ASCII throughout.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxRequestID
}
