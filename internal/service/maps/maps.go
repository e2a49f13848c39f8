package maps

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Options are the choices of a Service.
type Options struct {
	// ReportUnreachable has an operation whose write concern this node can never
	// reach carried out all the same, and its result say how far it came. Without
	// it the operation is refused.
	ReportUnreachable bool
}

// Service carries out operations on maps.
type Service struct {
	opt     Options
	engine  *engine.Engine
	clock   clock.Clock
	limits  service.Limits
	tracker service.Tracker
	metrics *metrics
	late    late
	pool    sync.Pool
}

type metrics struct {
	applied, unchanged, refused, unavailable prometheus.Counter
	latency                                  prometheus.Histogram
}

// New makes the service. tracker is told who writes to OR maps.
func New(e *engine.Engine, clk clock.Clock, reg prometheus.Registerer, lim service.Limits, tracker service.Tracker, opt Options) *Service {
	ops := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "topgun_operations_total", Help: "Operations of clients, by what became of them.",
	}, []string{"outcome"})
	m := &metrics{
		applied: ops.WithLabelValues("applied"), unchanged: ops.WithLabelValues("unchanged"),
		refused: ops.WithLabelValues("refused"), unavailable: ops.WithLabelValues("unavailable"),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "topgun_operation_batch_seconds",
			Help:    "Time from the decoded frame of operations to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
	}
	reg.MustRegister(ops, m.latency)
	return &Service{
		opt: opt, engine: e, clock: clk, limits: lim.WithDefaults(), tracker: tracker, metrics: m,
		late: late{jobs: map[*job]time.Time{}},
	}
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type {
	return []wire.Type{wire.TypeOpBatch, wire.TypeClientOpMessage}
}

// Leave implements service.Service. What a session has sent is carried out
// whether it stays to hear so or not.
func (s *Service) Leave(*service.Caller) {}

// Handle implements service.Service.
func (s *Service) Handle(c *service.Caller, m wire.Message, size int) error {
	switch m := m.(type) {
	case *wire.OpBatch:
		err := s.submit(c, m.Ops, m.WriteConcern, m.Timeout, size)
		if err == nil {
			m.Release()
		}
		return err
	case *wire.ClientOpMessage:
		return s.submit(c, []wire.ClientOp{m.ClientOp}, "", 0, size)
	}
	return nil
}

func writesSet(op wire.ClientOp) bool { return op.ORTag.Set || op.ORRecord.Set }

// job is one frame of operations under way.
type job struct {
	engine.Batch

	service *Service
	caller  *service.Caller
	ticket  *service.Ticket
	start   time.Time
	size    int
	count   int // operations in the frame

	// frames is where the answer is put together.
	frames []service.Frame

	// ids are those of the operations, in the order of the frame; place is the
	// index in the batch, or -1 for an operation that was refused at the door.
	ids     []string
	place   []int
	refused []refusal

	verbose bool // a write concern was asked for, so results are reported
	level   wire.WriteConcern

	// short are those that are carried out although their concern cannot be
	// reached, in the order of the frame.
	short []shortfall
}

// shortfall is a write concern that this node can never reach.
type shortfall struct {
	at  int // index in the frame
	err error
}

// refusal is an operation that will never be carried out.
type refusal struct {
	at  int // index in the frame
	err error
}

func (s *Service) submit(c *service.Caller, ops []wire.ClientOp, concern wire.WriteConcern, timeout int64, size int) error {
	if len(ops) == 0 {
		return nil
	}
	if c.Acks.Full() {
		return service.ErrBusy
	}
	if slices.ContainsFunc(ops, writesSet) && !s.tracker.Track(c) {
		return service.ErrBusy
	}
	if err := s.engine.Admit(len(ops), size, c.Wake); err != nil {
		return s.turnAway(c, ops, err)
	}
	j, ok := s.pool.Get().(*job)
	if !ok {
		j = new(job)
	}
	j.service, j.caller, j.start, j.size, j.count = s, c, s.clock.Now(), size, len(ops)
	j.ticket = c.Acks.Take()
	j.fill(ops, concern)
	j.Done = j.done
	s.late.add(j, shortest(ops, timeout))
	s.engine.Do(&j.Batch)
	return nil
}

// turnAway answers operations that the engine has not admitted. When waiting is
// of no use, nothing behind them may be acknowledged.
func (s *Service) turnAway(c *service.Caller, ops []wire.ClientOp, why error) error {
	err := service.Turned(why, wire.TypeOpBatch, strings.Clone(ops[len(ops)-1].ID))
	var e *service.Error
	if errors.As(err, &e) {
		s.metrics.unavailable.Add(float64(len(ops)))
		c.Acks.Take().Fail(e, &service.CloseError{Code: wire.CloseTryAgainLater})
		return nil
	}
	return err
}

// fill admits the operations and settles what the batch waits for: the
// strongest concern of its operations.
func (j *job) fill(ops []wire.ClientOp, concern wire.WriteConcern) {
	s := j.service
	j.level, j.verbose = wire.Applied, false
	j.Until = engine.Merged
	for i := range ops {
		op := &ops[i]
		j.ids = append(j.ids, op.ID)
		want := op.WriteConcern
		if want == "" {
			want = concern
		}
		if want != "" {
			j.verbose = true
		}
		if want == "" || want.Rank() >= wire.Replicated.Rank() {
			if s.engine.Durable() {
				j.Until, j.level = engine.Durable, wire.Persisted
			}
		}
		why := s.unreachable(want)
		err := why
		if err == nil || s.opt.ReportUnreachable {
			err = j.admit(op)
		}
		if err != nil {
			j.place = append(j.place, -1)
			j.refused = append(j.refused, refusal{i, err})
			continue
		}
		if why != nil {
			j.short = append(j.short, shortfall{i, why})
		}
		j.place = append(j.place, len(j.Ops)-1)
	}
}

// unreachable says why this node can never reach a write concern, or nil.
func (s *Service) unreachable(want wire.WriteConcern) error {
	switch {
	case want == wire.Replicated:
		return &service.Error{Code: wire.CodeWriteConcernUnavailable, Text: "REPLICATED needs a second member and this node is alone; ask for PERSISTED or APPLIED"}
	case want == wire.Persisted && !s.engine.Durable():
		return &service.Error{Code: wire.CodeWriteConcernUnavailable, Text: "PERSISTED needs storage and this node keeps none; ask for APPLIED"}
	}
	return nil
}

// admit adds one operation to the batch, or says why it is refused.
func (j *job) admit(op *wire.ClientOp) error {
	s := j.service
	j.Ops = append(j.Ops, records.Op{})
	out := &j.Ops[len(j.Ops)-1]
	err := translate(j.caller, op, out)
	if err == nil {
		err = s.limits.Admit(out)
	}
	if err != nil {
		j.Ops = j.Ops[:len(j.Ops)-1]
	}
	return err
}

// done runs on a lane, once the batch has come as far as it waits for.
func (j *job) done(_ *engine.Batch, err error) {
	s := j.service
	s.late.remove(j)
	s.engine.Credit.Return(j.count, j.size)
	s.metrics.latency.Observe(s.clock.Now().Sub(j.start).Seconds())
	if err != nil {
		s.metrics.unavailable.Add(float64(j.count))
		j.ticket.Fail(&service.Error{
			Code: service.CodeOf(err), Type: wire.TypeOpBatch, Request: j.ids[len(j.ids)-1],
			Text: fmt.Sprintf("the operations were not stored and have to be sent again: %v", err),
		}, &service.CloseError{Code: wire.CloseTryAgainLater})
	} else {
		j.ticket.Resolve(j.answer()...)
	}
	s.recycle(j)
}

func (s *Service) recycle(j *job) {
	clear(j.Ops)
	clear(j.Results)
	clear(j.ids)
	clear(j.refused)
	clear(j.short)
	clear(j.frames)
	j.Ops, j.Results = j.Ops[:0], j.Results[:0]
	j.ids, j.place, j.refused, j.frames = j.ids[:0], j.place[:0], j.refused[:0], j.frames[:0]
	j.short = j.short[:0]
	j.caller, j.ticket = nil, nil
	if cap(j.Ops) <= 1024 {
		s.pool.Put(j)
	}
}
