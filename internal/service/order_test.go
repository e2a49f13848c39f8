package service_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// outbox writes down what a session is sent.
type outbox struct {
	mu     sync.Mutex
	sent   []string
	closed *service.CloseError
}

func (o *outbox) Send(f service.Frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, string(f.Head)+string(f.Body))
}

func (o *outbox) SendAll(frames []service.Frame) {
	for _, f := range frames {
		o.Send(f)
	}
}

func (o *outbox) Behind() bool { return false }

func (o *outbox) Drained(func()) bool { return true }

func (o *outbox) Close(why *service.CloseError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed == nil {
		o.closed = why
	}
}

func frames(names ...string) (out []service.Frame) {
	for _, n := range names {
		out = append(out, service.Frame{Head: []byte(n)})
	}
	return out
}

// TestAnswersLeaveInTheOrderOfTheirRequests is ACK-CUMULATIVE for the order of one
// session: whatever the order in which answers become ready, each leaves when
// everything before it has, and once one has failed nothing behind it does.
func TestAnswersLeaveInTheOrderOfTheirRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := &outbox{}
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		freed, toldFull := 0, false
		o := service.NewOrder(out, limit, func() { freed++ })
		type place struct {
			n      int
			ticket *service.Ticket
			done   bool
			answer []string
		}
		var queue []*place
		var want []string
		next, empties, wantEmpties := 0, 0, 0
		resolve := func(p *place) {
			p.done = true
			wasFreed := freed
			left := 0
			for len(queue) > 0 && queue[0].done {
				want = append(want, queue[0].answer...)
				queue = queue[1:]
				left++
			}
			p.ticket.Resolve(frames(p.answer...)...)
			if told := left > 0 && toldFull; told != (freed > wasFreed) {
				t.Fatalf("%d places became free, told of it: %t", left, freed > wasFreed)
			}
			if left > 0 {
				toldFull = false
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "actions") {
			switch rapid.IntRange(0, 5).Draw(t, "action") {
			case 0, 1, 2:
				full := o.Full()
				if full != (len(queue) >= limit) {
					t.Fatalf("full %t with %d of %d", full, len(queue), limit)
				}
				toldFull = full
				if full {
					continue
				}
				next++
				p := &place{n: next, ticket: o.Take()}
				for i := range rapid.IntRange(0, 2).Draw(t, "frames") {
					p.answer = append(p.answer, fmt.Sprint(next, ".", i))
				}
				queue = append(queue, p)
			case 3, 4:
				var open []*place
				for _, p := range queue {
					if !p.done {
						open = append(open, p)
					}
				}
				if len(open) > 0 {
					resolve(rapid.SampledFrom(open).Draw(t, "which"))
				}
			case 5:
				if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
					wantEmpties++
					o.WhenEmpty(func() { empties++ })
					if len(queue) > 0 && empties == wantEmpties {
						t.Fatalf("said to be empty with %d places out", len(queue))
					}
					if len(queue) > 0 {
						for _, p := range slices.Clone(queue) {
							if !p.done {
								resolve(p)
							}
						}
					}
					if empties != wantEmpties {
						t.Fatalf("nobody was told that no place is out")
					}
				}
			}
			if !slices.Equal(out.sent, want) {
				t.Fatalf("sent %v, want %v", out.sent, want)
			}
		}
	})
}

// TestAFailedRequestEndsTheSession: what was answered before it has left, it is
// said why, and nothing behind it leaves, whenever it becomes ready.
func TestAFailedRequestEndsTheSession(t *testing.T) {
	out := &outbox{}
	o := service.NewOrder(out, 10, func() {})
	first, second, third, fourth := o.Take(), o.Take(), o.Take(), o.Take()
	first.Resolve(frames("first")...)
	third.Resolve(frames("third")...)
	why := &service.Error{Code: wire.CodeUnavailable, Type: wire.TypeOpBatch, Request: "r"}
	second.Fail(why, &service.CloseError{Code: wire.CloseTryAgainLater})
	fourth.Fail(why, &service.CloseError{Code: wire.CloseGoingAway})
	o.Take().Resolve(frames("fifth")...)
	if len(out.sent) != 2 || out.sent[0] != "first" {
		t.Fatalf("sent %q", out.sent)
	}
	m, err := wire.Decode([]byte(out.sent[1]), wire.Limits{})
	if e, ok := m.(*wire.Error); err != nil || !ok || e.Code != int64(wire.CodeUnavailable.Number()) {
		t.Errorf("sent %v, %v", m, err)
	}
	if out.closed == nil || out.closed.Code != wire.CloseTryAgainLater {
		t.Errorf("closed with %v", out.closed)
	}
	empty := false
	if o.WhenEmpty(func() { empty = true }); !empty {
		t.Error("places are out for ever")
	}
}

// TestAnAnswerStaysTheCallers: frames that wait are copied, so that their slice
// may be used again.
func TestAnAnswerStaysTheCallers(t *testing.T) {
	out := &outbox{}
	o := service.NewOrder(out, 10, func() {})
	first, second := o.Take(), o.Take()
	answer := frames("second")
	second.Resolve(answer...)
	answer[0] = service.Frame{Head: []byte("spoilt")}
	first.Resolve(frames("first")...)
	if fmt.Sprint(out.sent) != "[first second]" {
		t.Errorf("sent %q", out.sent)
	}
}

// TestOrderOfManyGoroutines: answers that come from anywhere leave in order.
func TestOrderOfManyGoroutines(t *testing.T) {
	const n = 500
	out := &outbox{}
	o := service.NewOrder(out, n, func() {})
	var all sync.WaitGroup
	for i := range n {
		ticket := o.Take()
		all.Go(func() { ticket.Resolve(frames(fmt.Sprint(i))...) })
	}
	all.Wait()
	for i, got := range out.sent {
		if got != fmt.Sprint(i) {
			t.Fatalf("answer %d is %s", i, got)
		}
	}
	if len(out.sent) != n {
		t.Errorf("%d answers", len(out.sent))
	}
}
