package service_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// asker is a session that asks.
type asker struct {
	*servicetest.Caller

	begun, answered int
}

func newAsker() *asker { return &asker{Caller: servicetest.NewCaller(1, 1)} }

// ask makes requests and returns how many were taken.
func (a *asker) ask(n int, begin func()) (taken int) {
	for taken < n && a.Asks.Do(0, func() { a.begun++; begin() }) {
		taken++
	}
	return taken
}

func (a *asker) answer(bytes int) {
	a.answered++
	a.Asks.Answer(service.Frame{Body: make([]byte, bytes)})
}

// open is how many requests are under way.
func (a *asker) open() int { return a.begun - a.answered }

func nothing() {}

// TestAsksGoByTheAnswersBefore: one request at the beginning, more while answers
// are small, up to a limit, and no further ones after a large one.
func TestAsksGoByTheAnswersBefore(t *testing.T) {
	a := newAsker()
	a.ask(1000, nothing)
	if a.open() != 1 {
		t.Fatalf("%d requests begin, and nobody knows how large an answer is", a.open())
	}
	for range 50 {
		before := a.open()
		if a.answer(10); a.open() < before {
			t.Fatalf("%d requests are under way after small answers, %d before", a.open(), before)
		}
	}
	if a.open() != 16 {
		t.Errorf("%d requests are under way after many small answers", a.open())
	}
	a.answer(10 << 20)
	a.answer(10)
	if a.open() != 14 {
		t.Errorf("%d requests are under way after a large answer and another", a.open())
	}
}

// TestAsksWaitForTheClient: no request begins while much waits to be sent.
func TestAsksWaitForTheClient(t *testing.T) {
	a := newAsker()
	a.Stall(true)
	if a.ask(3, nothing); a.begun != 0 {
		t.Errorf("%d requests begin while the client does not read", a.begun)
	}
	a.Stall(false)
	if a.begun != 1 {
		t.Errorf("%d requests have begun when the client has caught up", a.begun)
	}
	a.Stall(true)
	a.answer(10)
	if a.begun != 1 {
		t.Errorf("%d requests have begun when it is behind again", a.begun)
	}
	a.Stall(false)
	if a.begun != 2 || a.Woken() != 0 {
		t.Errorf("%d requests have begun then; woken %d times, and nobody was refused", a.begun, a.Woken())
	}
}

// TestAsksBeginInOrder, those that are answered at once too. A megabyte of them
// waits, and one more is refused until there is room; when the session has ended
// none begins.
func TestAsksBeginInOrder(t *testing.T) {
	a := newAsker()
	a.Stall(true)
	next := 0
	at := func(n int, answered bool) func() {
		return func() {
			if n != next {
				t.Fatalf("request %d begins after %d", n, next)
			}
			next++
			if answered {
				a.answer(10)
			}
		}
	}
	waiting := 0
	for a.ask(1, at(waiting, waiting < 3000)) == 1 {
		waiting++
	}
	if waiting != 1<<20/128 || a.begun != 0 || a.Woken() != 0 {
		t.Fatalf("%d requests wait, %d have begun, woken %d times", waiting, a.begun, a.Woken())
	}
	a.Stall(false)
	if a.begun != 3016 || a.Woken() != 1 {
		t.Errorf("%d requests have begun, woken %d times; 16 are not answered", a.begun, a.Woken())
	}
	a.answer(10)
	if a.begun != 3017 || a.ask(1, nothing) != 1 {
		t.Errorf("%d requests have begun when one more is answered", a.begun)
	}
	a.Asks.End()
	a.answer(10)
	if a.begun != 3017 {
		t.Errorf("%d requests have begun when the session has ended", a.begun)
	}
}

// TestOneAskAlwaysFits, however much it keeps.
func TestOneAskAlwaysFits(t *testing.T) {
	a := newAsker()
	a.Stall(true)
	if !a.Asks.Do(2<<20, nothing) || a.Asks.Do(2<<20, nothing) {
		t.Error("of two large requests not one waits")
	}
	a.Stall(false)
	if a.Woken() != 1 || !a.Asks.Do(2<<20, nothing) {
		t.Error("the other is not taken when the first has begun")
	}
}
