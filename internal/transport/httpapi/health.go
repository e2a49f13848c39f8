package httpapi

import (
	"encoding/json"
	"net/http"
	"time"
)

// StateReady is the state in which a node serves. The others are "starting",
// "draining" and "stopped".
const StateReady = "ready"

// Health says how the node is. Its methods are safe for concurrent use.
type Health interface {
	// State is "starting", "ready", "draining" or "stopped".
	State() string

	// Problems are what keeps the node from taking or keeping writes now, one
	// sentence each; none when it is well. A node with problems still serves
	// reads, so that it stays ready.
	Problems() []string

	// Connections is the number of clients that are connected.
	Connections() int

	// InFlight is the number of operations that are not yet answered.
	InFlight() int

	// Degraded names what the node has to do without while it serves, a sentence
	// each and fit for anybody to read; none when all is well.
	Degraded() []string

	// Uptime is the time since the start of the process.
	Uptime() time.Duration
}

// report is the body of /health.
type report struct {
	State       string   `json:"state"`
	Connections int      `json:"connections"`
	InFlight    int      `json:"in_flight"`
	UptimeSecs  int64    `json:"uptime_secs"`
	Healthy     bool     `json:"healthy"`
	Problems    []string `json:"problems,omitempty"`
	Degraded    []string `json:"degraded,omitempty"`
}

// mountHealth serves the four questions about health.
func mountHealth(mux *http.ServeMux, health Health) {
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		problems := health.Problems()
		body, err := json.Marshal(report{
			Healthy:     len(problems) == 0,
			Problems:    problems,
			State:       health.State(),
			Connections: health.Connections(),
			InFlight:    health.InFlight(),
			UptimeSecs:  int64(health.Uptime() / time.Second),
			Degraded:    health.Degraded(),
		})
		if err != nil { // strings and numbers: cannot happen
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(append(body, '\n'))
	})
	mux.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	ready := func(w http.ResponseWriter, _ *http.Request) {
		if health.State() != StateReady {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	mux.HandleFunc("GET /health/ready", ready)
	mux.HandleFunc("GET /healthz", ready)
}
