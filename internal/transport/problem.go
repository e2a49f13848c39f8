package transport

import (
	"encoding/json"
	"net/http"
)

// Problem is the body of every HTTP answer that is not a success.
type Problem struct {
	// Code is the HTTP status.
	Code int `json:"code"`

	// Message says in one sentence for people what is wrong and what helps.
	Message string `json:"message"`

	// Field names the part of the request that is wrong, if one is.
	Field string `json:"field,omitempty"`
}

// Write answers a request with p. Headers set before are sent along.
func (p Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // two strings and a number: cannot happen
		http.Error(w, p.Message, p.Code)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Code)
	_, _ = w.Write(append(body, '\n')) // a peer that is gone needs no answer
}
