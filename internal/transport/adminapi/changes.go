package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/consume"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// ChangesPath is below which every name is a consumer of the changes of the node:
// GET {name}?after=POSITION&limit=N reads, DELETE {name} forgets it.
const ChangesPath = Prefix + "changes"

// The number of changes of one answer.
const (
	defaultChanges = 1000
	maxChanges     = 10_000
)

// Changes are the durable changes of a node, for consumers that are known by
// name.
type Changes interface {
	// Read calls fn for the changes behind after, about limit of them, and returns
	// the position behind the last one. What lies before after is the consumer's
	// for good. Empty after is where the consumer stands. The error is ErrGap when
	// the consumer is new or was away for too long: the position is then a new
	// place, to be acknowledged with a copy of the state; ErrPosition; or one that
	// matches log.ErrConsumer when it cannot be registered.
	Read(name, after string, limit int, fn func(*change.Record) error) (position string, err error)

	// Forget ends the consumer and reports whether there was one.
	Forget(name string) bool
}

// ErrPosition refuses a position that is none.
var ErrPosition = errors.New("after has to be a position that was given before")

// changeLine is one change as JSON.
type changeLine struct {
	Partition uint16          `json:"partition"`
	Epoch     uint32          `json:"epoch"`
	Seq       uint64          `json:"seq"`
	Map       string          `json:"map"`
	Key       string          `json:"key"`
	Kind      string          `json:"kind"`
	Verb      string          `json:"verb"`
	Timestamp string          `json:"timestamp,omitempty"` // of an LWW record
	Value     json.RawMessage `json:"value,omitempty"`     // of an LWW record; absent for a removal
	Tag       string          `json:"tag,omitempty"`       // of an OR map
	Arrived   string          `json:"arrived"`
	Principal string          `json:"principal,omitempty"`
}

// changePage is one answer.
type changePage struct {
	Changes  []changeLine `json:"changes"`
	Position string       `json:"position"`

	// Gap says that changes are missing before Position: copy the state, then go on
	// behind it.
	Gap bool `json:"gap,omitempty"`
}

var verbs = map[change.Verb]string{
	change.Put: "put", change.Remove: "remove", change.Add: "add", change.Drop: "drop", change.Merge: "merge",
}

// MountChanges serves the changes of a node.
func (a *API) MountChanges(c Changes) {
	a.mux.HandleFunc("GET "+ChangesPath+"/{name}", func(w http.ResponseWriter, r *http.Request) { readChanges(w, r, c) })
	a.mux.HandleFunc("DELETE "+ChangesPath+"/{name}", func(w http.ResponseWriter, r *http.Request) {
		if !c.Forget(r.PathValue("name")) {
			transport.Problem{Code: http.StatusNotFound, Message: fmt.Sprintf("there is no consumer %.100q", r.PathValue("name"))}.Write(w)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func readChanges(w http.ResponseWriter, r *http.Request, c Changes) {
	limit := defaultChanges
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxChanges {
			transport.Problem{Code: http.StatusBadRequest, Field: "limit", Message: fmt.Sprintf("limit has to be 1 to %d", maxChanges)}.Write(w)
			return
		}
		limit = n
	}
	page := changePage{Changes: []changeLine{}}
	var err error
	page.Position, err = c.Read(r.PathValue("name"), r.URL.Query().Get("after"), limit, func(rec *change.Record) error {
		if verb, ok := verbs[rec.Verb]; ok && (!records.Reserved(rec.Map) || rec.Map == records.CounterMap) {
			page.Changes = append(page.Changes, lineOf(rec, verb))
		}
		return nil
	})
	switch {
	case errors.Is(err, consume.ErrGap):
		page.Gap = true
	case errors.Is(err, ErrPosition):
		transport.Problem{Code: http.StatusBadRequest, Field: "after", Message: err.Error()}.Write(w)
		return
	case errors.Is(err, log.ErrConsumer):
		transport.Problem{Code: http.StatusBadRequest, Field: "name", Message: err.Error()}.Write(w)
		return
	case err != nil:
		transport.Problem{Code: http.StatusServiceUnavailable, Message: fmt.Sprintf("no changes can be read now: %v", err)}.Write(w)
		return
	}
	reply(w, http.StatusOK, page)
}

func lineOf(c *change.Record, verb string) changeLine {
	l := changeLine{
		Partition: uint16(c.Pos.Partition), Epoch: c.Pos.Epoch, Seq: c.Pos.Seq,
		Map: c.Map, Key: c.Key, Kind: c.Kind.String(), Verb: verb, Tag: c.Tag, Arrived: c.Arrival.String(),
	}
	if c.Author != nil {
		l.Principal = c.Author.Principal
	}
	if c.Kind != change.KindLWW {
		return l
	}
	if rec, err := crdt.ParseLWW(c.After); err == nil {
		if l.Timestamp = rec.TS.String(); !rec.Tombstone() {
			l.Value = value.AppendJSON(nil, rec.Value)
		}
	}
	return l
}
