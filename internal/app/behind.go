package app

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/writebehind"
)

// registerBehind exports how the database is kept up.
func registerBehind(reg prometheus.Registerer, st *writebehind.Store, gate *engine.Gate) {
	gauge := func(name, help string, fn func(writebehind.Counters) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return fn(st.Counters()) }))
	}
	counter := func(name, help string, fn func(writebehind.Counters) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(fn(st.Counters())) }))
	}
	gauge("topgun_postgres_up", "1 while the database takes what it is given.", func(c writebehind.Counters) float64 {
		if c.Err != nil {
			return 0
		}
		return 1
	})
	gauge("topgun_postgres_behind_seconds", "How long the oldest checkpoint that the database lacks has waited.",
		func(c writebehind.Counters) float64 { return c.Behind.Seconds() })
	gauge("topgun_postgres_staged_rows", "Rows that wait in memory for the database.",
		func(c writebehind.Counters) float64 { return float64(c.StagedRows) })
	gauge("topgun_postgres_staged_bytes", "Their size.", func(c writebehind.Counters) float64 { return float64(c.StagedBytes) })
	counter("topgun_postgres_rows_total", "Rows written to the database.", func(c writebehind.Counters) uint64 { return c.Rows })
	counter("topgun_postgres_batches_total", "Transactions that wrote them.", func(c writebehind.Counters) uint64 { return c.Batches })
	counter("topgun_postgres_coalesced_rows_total", "Rows that a later state of their key made superfluous in time.",
		func(c writebehind.Counters) uint64 { return c.Coalesced })
	counter("topgun_postgres_failures_total", "Attempts to write that failed and were repeated.", func(c writebehind.Counters) uint64 { return c.Failures })
	counter("topgun_postgres_overflows_total", "How often more rows waited than may.", func(c writebehind.Counters) uint64 { return c.Overflows })
	counter("topgun_postgres_comparisons_total", "How often store and database were compared row by row.",
		func(c writebehind.Counters) uint64 { return c.CatchUps })
	if gate != nil {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "topgun_postgres_held_batches", Help: "Batches on disk whose acknowledgement waits for the database.",
		}, func() float64 { return float64(gate.Held()) }))
	}
}

// Degraded implements httpapi.Health.
func (s *server) Degraded() []string {
	if s.storage.behind == nil {
		return nil
	}
	c := s.storage.behind.Counters()
	if c.Err == nil {
		return nil
	}
	// Anybody may read this, so the reason, which names hosts, is in the log only.
	return []string{fmt.Sprintf("PostgreSQL takes no writes; what it lacks is %s old; the log says why", c.Behind.Round(time.Second))}
}

// passOn gives the database what has changed, at the end of the node and until
// a moment: what it does not get it gets after the next start.
func (s *server) passOn(ctx context.Context, until time.Time) {
	if s.storage.behind == nil {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, until.Add(-time.Second/2))
	defer cancel()
	done := make(chan error, 1)
	s.node.Checkpointer.Request(func(err error) { done <- err })
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = s.storage.behind.Flush(ctx, true)
	}
	if err != nil {
		s.logger.WarnContext(ctx, "the database did not get everything before the end; it will after the next start", "error", err)
	}
}
