package service_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// taken is how many requests begin at once.
func taken(c *servicetest.Caller) (n int) {
	for c.Asks.Take() {
		n++
	}
	return n
}

func answers(c *servicetest.Caller, n, bytes int) {
	for range n {
		c.Asks.Answer(service.Frame{Body: make([]byte, bytes)})
	}
}

// TestAsksGoByTheAnswersBefore: one request at the beginning, more while answers
// are small, up to a limit, and one again after a large one.
func TestAsksGoByTheAnswersBefore(t *testing.T) {
	c := servicetest.NewCaller(1, 1)
	if n := taken(c); n != 1 {
		t.Fatalf("%d requests begin, and nobody knows how large an answer is", n)
	}
	answers(c, 1, 10)
	last, most := 1, 0
	for range 50 {
		n := taken(c)
		if n < last {
			t.Fatalf("%d requests begin after small answers, %d before", n, last)
		}
		last, most = n, n
		answers(c, n, 10)
	}
	if most != 16 {
		t.Errorf("%d requests begin after many small answers", most)
	}
	taken(c)
	answers(c, 15, 10)
	answers(c, 1, 10<<20)
	if n := taken(c); n != 1 {
		t.Errorf("%d requests begin after a large answer", n)
	}
}

// TestAsksWaitForTheClient: no request begins while much waits to be sent, and
// whoever was refused is told when one may.
func TestAsksWaitForTheClient(t *testing.T) {
	c := servicetest.NewCaller(1, 1)
	c.Stall(true)
	if n := taken(c) + taken(c); n != 0 || c.Woken() != 0 {
		t.Errorf("%d requests begin while the client does not read, it is woken %d times", n, c.Woken())
	}
	c.Stall(false)
	if c.Woken() != 1 {
		t.Errorf("woken %d times when the client has caught up", c.Woken())
	}
	if n := taken(c); n != 1 {
		t.Errorf("%d requests begin then", n)
	}
	answers(c, 1, 10)
	if c.Woken() != 2 {
		t.Errorf("woken %d times when a request has ended that another waits for", c.Woken())
	}
	if !c.Asks.Take() {
		t.Error("it may not begin")
	}
	answers(c, 1, 10)
	if c.Woken() != 2 {
		t.Errorf("woken %d times, and nobody waits", c.Woken())
	}
}

// TestAsksBeginInOrder, each when it may, those that are answered at once too. So
// many wait, and one more is refused until there is room; when the session has
// ended none begins.
func TestAsksBeginInOrder(t *testing.T) {
	c := servicetest.NewCaller(1, 1)
	c.Stall(true)
	begun, waiting := 0, 0
	ask := func(answered bool) bool {
		n := waiting
		taken := c.Asks.Do(func() {
			if n != begun {
				t.Fatalf("request %d begins after %d", n, begun)
			}
			begun++
			if answered {
				answers(c, 1, 10)
			}
		})
		if taken {
			waiting++
		}
		return taken
	}
	for ask(waiting < 3000) {
	}
	if waiting != 5000 || begun != 0 || c.Asks.Take() || c.Woken() != 0 {
		t.Fatalf("%d requests wait, %d have begun, woken %d times", waiting, begun, c.Woken())
	}
	c.Stall(false)
	if begun != 3016 || c.Woken() != 1 {
		t.Errorf("%d requests have begun, woken %d times; 16 are not answered", begun, c.Woken())
	}
	answers(c, 1, 10)
	if begun != 3017 || !ask(true) {
		t.Errorf("%d requests have begun when one more is answered", begun)
	}
	c.Asks.End()
	answers(c, 16, 10)
	if begun != 3017 {
		t.Errorf("%d requests have begun when the session has ended", begun)
	}
}
