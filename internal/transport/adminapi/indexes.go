package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// IndexesPath lists and makes indexes; below it, {map}/{attr} is one of them.
const IndexesPath = Prefix + "indexes"

// maxDefinition bounds the body of a request for an index.
const maxDefinition = 64 << 10

// definition is an index as the wire contract writes it (protocol 03 §4). The
// attribute of a compound index is its fields joined by commas.
type definition struct {
	MapName    string `json:"mapName"`
	Attribute  string `json:"attribute"`
	IndexType  string `json:"indexType,omitempty"`
	EntryCount *int   `json:"entryCount,omitempty"`
	Bytes      *int   `json:"bytes,omitempty"`
}

// indexStatus says how far the building of an index is.
type indexStatus struct {
	MapName     string `json:"mapName"`
	Attribute   string `json:"attribute"`
	Total       int    `json:"total"`
	Processed   int    `json:"processed"`
	Done        bool   `json:"done"`
	RebuildType string `json:"rebuildType"`
}

// MountIndexes serves the indexes of a node.
func (a *API) MountIndexes(x *engine.Indexes) {
	a.mux.HandleFunc("GET "+IndexesPath, func(w http.ResponseWriter, _ *http.Request) { listIndexes(w, x) })
	a.mux.HandleFunc("POST "+IndexesPath, func(w http.ResponseWriter, r *http.Request) { createIndex(w, r, x) })
	a.mux.HandleFunc("DELETE "+IndexesPath+"/{map}/{attr}", func(w http.ResponseWriter, r *http.Request) { dropIndex(w, r, x) })
	a.mux.HandleFunc("GET "+IndexesPath+"/{map}/{attr}/status", func(w http.ResponseWriter, r *http.Request) { tellIndex(w, r, x) })
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // strings and numbers: cannot happen
		transport.Problem{Code: http.StatusInternalServerError, Message: err.Error()}.Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a peer that is gone needs no answer
}

func listIndexes(w http.ResponseWriter, x *engine.Indexes) {
	all := []definition{}
	for _, i := range x.List() {
		all = append(all, definition{i.Map, i.Attribute(), string(i.Kind), &i.Entries, &i.Bytes})
	}
	reply(w, http.StatusOK, struct {
		Indexes []definition `json:"indexes"`
	}{all})
}

func createIndex(w http.ResponseWriter, r *http.Request, x *engine.Indexes) {
	var d definition
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDefinition+1))
	if err != nil || len(body) > maxDefinition || json.Unmarshal(body, &d) != nil {
		transport.Problem{Code: http.StatusBadRequest, Message: "the body has to be {mapName, attribute, indexType: hash|navigable|inverted}"}.Write(w)
		return
	}
	def := index.Definition{Map: d.MapName, Fields: index.ParseAttribute(d.Attribute), Kind: index.Kind(d.IndexType)}
	if err := wait(r, func(done func(error)) { x.Create(def, done) }); err != nil {
		indexProblem(err).Write(w)
		return
	}
	reply(w, http.StatusCreated, definition{MapName: def.Map, Attribute: def.Attribute(), IndexType: d.IndexType})
}

// wait calls fn and waits until it says that it is done, or the client is gone.
func wait(r *http.Request, fn func(done func(error))) error {
	done := make(chan error, 1)
	fn(func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func indexProblem(err error) transport.Problem {
	p := transport.Problem{Code: http.StatusServiceUnavailable, Message: fmt.Sprintf("not now: %v; try again", err)}
	switch {
	case errors.Is(err, index.ErrDefinition):
		p = transport.Problem{Code: http.StatusBadRequest, Message: err.Error()}
	case errors.Is(err, engine.ErrIndexedKind):
		p = transport.Problem{Code: http.StatusBadRequest, Message: err.Error(), Field: "mapName"}
	case errors.Is(err, engine.ErrIndexExists), errors.Is(err, engine.ErrIndexLimit):
		p = transport.Problem{Code: http.StatusConflict, Message: err.Error()}
	case errors.Is(err, engine.ErrNoIndex):
		p = transport.Problem{Code: http.StatusNotFound, Message: err.Error()}
	}
	return p
}

func dropIndex(w http.ResponseWriter, r *http.Request, x *engine.Indexes) {
	fields := index.ParseAttribute(r.PathValue("attr"))
	if err := wait(r, func(done func(error)) { x.Drop(r.PathValue("map"), fields, done) }); err != nil {
		indexProblem(err).Write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func tellIndex(w http.ResponseWriter, r *http.Request, x *engine.Indexes) {
	want := index.Definition{Map: r.PathValue("map"), Fields: index.ParseAttribute(r.PathValue("attr"))}
	for _, i := range x.List() {
		if i.Name() != want.Name() {
			continue
		}
		s := indexStatus{i.Map, i.Attribute(), i.Total, i.Processed, i.Done, "backfill"}
		if i.AtStart {
			s.RebuildType = "startupRebuild"
		}
		reply(w, http.StatusOK, s)
		return
	}
	indexProblem(engine.ErrNoIndex).Write(w)
}
