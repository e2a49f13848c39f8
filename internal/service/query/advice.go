package query

import (
	"github.com/topgunbuild/topgun-go/internal/grid/access"
)

// What an index must have been wanted by, and have spared, before it is made
// without being asked for.
const (
	autoQueries = 3
	autoSpared  = 100_000
)

// Advice returns the indexes that the queries seen would have used, the most
// worthwhile first.
func (s *Service) Advice() []access.Advice { return s.adviser.Advice(s.engine.Indexes.Has) }

// saw notes what a pass has cost each of its queries.
func (s *Service) saw(p *pass) {
	for _, q := range p.members {
		if q.scan != nil && q.scan.pass == p {
			s.adviser.Saw(q.plan.mapName, s.question(q.plan), p.looked, int(q.scan.result.total))
		}
	}
}

// follow the advice, where that is switched on: an index at a time.
func (s *Service) adopt() {
	if !s.opt.AutoIndex {
		return
	}
	for _, a := range s.Advice() {
		if a.Queries >= autoQueries && a.Spared >= autoSpared {
			s.engine.Indexes.Create(a.Definition, func(error) {}) // refused ones are advice still
			return
		}
	}
}
