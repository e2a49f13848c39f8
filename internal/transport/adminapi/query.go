package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/query"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// ExplainPath answers POST with how a query is answered. The body is the payload
// of a QUERY_SUB as JSON.
const ExplainPath = Prefix + "query/explain"

// AdvicePath lists the indexes that the queries seen would have used.
const AdvicePath = IndexesPath + "/advice"

// maxQuery bounds the body of a query.
const maxQuery = 1 << 20

// explanation is a query.Explanation as JSON.
type explanation struct {
	Lanes      []laneExplanation `json:"lanes"`
	LookedAt   int               `json:"lookedAt"`
	Rows       int               `json:"rows"`
	TookMicros int64             `json:"tookMicros"`
	Advice     *definition       `json:"advice,omitempty"`
}

type laneExplanation struct {
	Path      string     `json:"path"`
	LookedAt  int        `json:"lookedAt"`
	Rows      int        `json:"rows"`
	Estimates []estimate `json:"estimates"`
}

type estimate struct {
	Path string `json:"path"`
	Rows int    `json:"rows"`
	Cost int    `json:"cost"`
}

type advice struct {
	definition

	Queries uint64 `json:"queries"`
	Spared  uint64 `json:"recordsSpared"`
}

// MountQueries serves what is to be known about queries.
func (a *API) MountQueries(s *query.Service) {
	a.mux.HandleFunc("POST "+ExplainPath, func(w http.ResponseWriter, r *http.Request) { explain(w, r, s) })
	a.mux.HandleFunc("GET "+AdvicePath, func(w http.ResponseWriter, _ *http.Request) {
		all := []advice{}
		for _, d := range s.Advice() {
			all = append(all, advice{definitionOf(d), d.Queries, d.Spared})
		}
		reply(w, http.StatusOK, struct {
			Advice []advice `json:"advice"`
		}{all})
	})
}

func definitionOf(a access.Advice) definition {
	return definition{MapName: a.Map, Attribute: a.Attribute(), IndexType: string(a.Kind)}
}

func explain(w http.ResponseWriter, r *http.Request, s *query.Service) {
	m, err := readQuery(r.Body)
	if err != nil {
		transport.Problem{Code: http.StatusBadRequest, Message: fmt.Sprintf("the body has to be {mapName, query: {where, predicate, sort, limit, …}}: %v", err)}.Write(w)
		return
	}
	var x query.Explanation
	err = wait(r, func(done func(error)) {
		s.Explain(m, policy.Principal{}, func(got query.Explanation, err error) {
			x = got
			done(err)
		})
	})
	var refused *service.Error
	switch {
	case errors.As(err, &refused):
		transport.Problem{Code: http.StatusBadRequest, Message: refused.Error()}.Write(w)
	case err != nil:
		transport.Problem{Code: http.StatusServiceUnavailable, Message: fmt.Sprintf("not now: %v; try again", err)}.Write(w)
	default:
		reply(w, http.StatusOK, explanationOf(x))
	}
}

func explanationOf(x query.Explanation) explanation {
	out := explanation{LookedAt: x.Looked, Rows: x.Rows, TookMicros: x.Took.Microseconds()}
	for _, l := range x.Lanes {
		e := laneExplanation{LookedAt: l.Looked, Rows: l.Rows}
		for i, est := range l.Estimates {
			if i == 0 {
				e.Path = est.Path.String()
			}
			e.Estimates = append(e.Estimates, estimate{est.Path.String(), est.Rows, est.Cost})
		}
		out.Lanes = append(out.Lanes, e)
	}
	if x.Advice != nil {
		d := definitionOf(*x.Advice)
		out.Advice = &d
	}
	return out
}

// readQuery reads the payload of a QUERY_SUB.
func readQuery(body io.Reader) (*wire.QuerySub, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxQuery+1))
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || len(text) > maxQuery {
		return nil, errors.Join(err, errors.New("it is no object of JSON, or too large"))
	}
	fields["queryId"] = json.RawMessage(`"explain"`)
	if _, ok := fields["query"]; !ok {
		fields["query"] = json.RawMessage(`{}`)
	}
	text, err = json.Marshal(map[string]any{"type": wire.TypeQuerySub.String(), "payload": fields})
	if err != nil {
		return nil, err
	}
	frame, err := value.FromJSON(nil, text)
	if err != nil {
		return nil, err
	}
	m, err := wire.Decode(frame, wire.Limits{})
	if err != nil {
		return nil, err
	}
	q, ok := m.(*wire.QuerySub)
	if !ok || q.MapName == "" {
		return nil, errors.New("it names no map")
	}
	return q, nil
}
