package query

import (
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Explanation says how a query was answered once, for the sake of it.
type Explanation struct {
	Lanes []LaneExplanation

	// Looked is how many records were looked at, Rows how many of them the query
	// wanted; on an ordered path reading stops when there are enough.
	Looked, Rows int

	Took time.Duration

	// Advice is an index that would have served better, if any would.
	Advice *access.Advice
}

// LaneExplanation is the part of one lane.
type LaneExplanation struct {
	// Estimates are the paths that there are, the one that was taken first.
	Estimates []access.Estimate

	Looked, Rows int
}

// explaining is an explanation under way.
type explaining struct {
	Explanation

	plan     *plan
	question access.Question
	paths    []access.Path
	at       []engine.FoundAt
	places   []engine.Place // of lanes that read everything
	left     int
	began    time.Time
	now      int64
	done     func(Explanation, error)
}

// errExplainKind refuses what has no paths.
var errExplainKind = &service.Error{Code: wire.CodeNotImplemented, Text: "only queries over last-writer-wins maps have paths to explain"}

// Explain answers a query once and says how. done is called once, from any
// goroutine.
func (s *Service) Explain(m *wire.QuerySub, who policy.Principal, done func(Explanation, error)) {
	p, err := newPlan(m, who, s.opt.MaxRows)
	if err == nil && s.engine.Kinds().Of(p.mapName) != change.KindLWW {
		err = errExplainKind
	}
	if err != nil {
		done(Explanation{}, err)
		return
	}
	e := &explaining{plan: p, done: done, question: s.question(p), left: s.engine.Lanes(), began: s.clock.Now()}
	e.paths, e.now = access.Paths(e.question), e.began.UnixMilli()
	e.at, e.places = make([]engine.FoundAt, e.left), make([]engine.Place, e.left)
	e.Lanes = make([]LaneExplanation, e.left)
	if !s.commands.Push(command{explain: e}) {
		done(Explanation{}, service.ErrBusy)
	}
}

func (s *Service) explain(e *explaining) {
	if s.explains == nil {
		s.explains = map[*explaining]struct{}{}
	}
	s.explains[e] = struct{}{}
	for lane := range e.at {
		s.askExplained(e, lane)
	}
}

// wanted is how many rows a seek of the plan would look for on a lane.
func (e *explaining) wanted() int {
	if r := newResult(e.plan, 0, e.now); !r.counts() {
		return r.window.most
	}
	return 0
}

func (s *Service) askExplained(e *explaining, lane int) {
	keep := func(key, state string) bool {
		doc := document.Of(change.KindLWW, state, e.now)
		return doc.There && e.plan.match.Match(key, doc.Full) && e.plan.row(key, state, &doc) != nil
	}
	if at := e.at[lane]; at.Begun && at.Path.Whole() {
		s.engine.Scan(engine.ScanRequest{
			Map: e.plan.mapName, Lane: lane, From: e.places[lane], Budget: s.opt.SliceRows, Keep: keep, Scan: e, To: s.inbox,
		})
		return
	}
	s.engine.Find(engine.FindRequest{
		Map: e.plan.mapName, Lane: lane, Paths: e.paths, Wanted: e.wanted(), From: e.at[lane], Budget: s.opt.SeekRows,
		Keep: keep, Find: e, To: s.inbox,
	})
}

// explained takes what a lane has found for an explanation.
func (s *Service) explained(f *engine.Found) {
	e, ok := f.Find.(*explaining)
	if !ok {
		return
	}
	l := &e.Lanes[f.Lane]
	if f.Estimates != nil {
		l.Estimates = f.Estimates
	}
	l.Looked, l.Rows = l.Looked+f.Looked, l.Rows+len(f.Rows)
	e.at[f.Lane] = f.Next
	s.explainNext(e, f.Lane, f.Next.Done, f.Err)
}

// explainedSlice takes what a lane has read for an explanation.
func (s *Service) explainedSlice(e *explaining, sl *engine.Slice) {
	l := &e.Lanes[sl.Lane]
	l.Looked, l.Rows = l.Looked+sl.Looked, l.Rows+len(sl.Rows)
	e.places[sl.Lane] = sl.Next
	s.explainNext(e, sl.Lane, sl.Next.Done, sl.Err)
}

func (s *Service) explainNext(e *explaining, lane int, ended bool, err error) {
	switch {
	case e.done == nil:
		return
	case err != nil:
		s.endExplain(e, Explanation{}, err)
		return
	case !ended:
		s.askExplained(e, lane)
		return
	}
	if e.left--; e.left > 0 {
		return
	}
	for i := range e.Lanes {
		e.Looked += e.Lanes[i].Looked
		e.Rows += e.Lanes[i].Rows
	}
	e.Took = s.clock.Now().Sub(e.began)
	if d, ok := access.Suggest(e.plan.mapName, e.question); ok && !s.engine.Indexes.Has(d) && e.Looked > 4*e.Rows {
		e.Advice = &access.Advice{Definition: d, Queries: 1, Spared: uint64(e.Looked - e.Rows)}
	}
	s.endExplain(e, e.Explanation, nil)
}

func (s *Service) endExplain(e *explaining, x Explanation, err error) {
	delete(s.explains, e)
	e.done(x, err)
	e.done = nil
}
