package session

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

func newOutbox(limit int, notify func()) *outbox {
	return &outbox{limit: limit, notify: notify, slow: prometheus.NewCounter(prometheus.CounterOpts{Name: "slow"})}
}

func frameOf(n int) service.Frame {
	return service.Frame{Head: make([]byte, n/2), Body: make([]byte, n-n/2)}
}

// TestFullOutboxEndsItsSession: what waits is dropped, nothing more is taken, and
// the session ends with 4003.
func TestFullOutboxEndsItsSession(t *testing.T) {
	notified := 0
	o := newOutbox(100, func() { notified++ })
	o.Send(frameOf(60))
	o.Send(frameOf(40))
	if frames, why := o.take(nil, 1); len(frames) != 1 || why != nil || notified != 1 {
		t.Fatalf("%d frames, end %v, notified %d times", len(frames), why, notified)
	}
	o.Send(frameOf(60))
	o.Send(frameOf(1))
	o.Send(frameOf(1))
	frames, why := o.take(nil, 1000)
	if len(frames) != 0 || why == nil || why.Code != wire.CloseSlowConsumer || notified != 2 {
		t.Errorf("%d frames, end %v, notified %d times", len(frames), why, notified)
	}
	o.Close(&service.CloseError{Code: wire.CloseNormal})
	if _, why := o.take(nil, 0); why.Code != wire.CloseSlowConsumer {
		t.Errorf("a later reason replaces the first: %v", why)
	}
}

// TestOneMessageAlwaysFits: an answer that is larger than the limit is sent to
// who reads.
func TestOneMessageAlwaysFits(t *testing.T) {
	o := newOutbox(100, func() {})
	for range 3 {
		o.Send(frameOf(1000))
		if frames, why := o.take(nil, 1); len(frames) != 1 || why != nil {
			t.Errorf("%d frames, end %v", len(frames), why)
		}
	}
}

// TestNobodyWaitsForTheEnd: once a session ends it is sent nothing more, and nobody
// is told that there is room for more.
func TestNobodyWaitsForTheEnd(t *testing.T) {
	ends := map[string]func(o *outbox){
		"closed": func(o *outbox) { o.Close(&service.CloseError{Code: wire.CloseTryAgainLater}) },
		"slow":   func(o *outbox) { o.Send(frameOf(320)) },
	}
	for name, end := range ends {
		o := newOutbox(320, func() {})
		o.Send(frameOf(40))
		told := 0
		asks := service.NewAsks(o, func() {})
		asks.Do(0, func() { told++ })
		if told > 0 {
			t.Fatal("40 bytes of 320 are little")
		}
		end(o)
		asks.Do(0, func() { told++ })
		for range 3 {
			o.take(nil, 1)
		}
		asks.Do(0, func() { told++ })
		if told > 0 {
			t.Errorf("%s: %d requests begin", name, told)
		}
	}
}

// TestDrained: whoever waits for little to be left is told once, when it is so.
func TestDrained(t *testing.T) {
	o := newOutbox(320, func() {})
	told := 0
	for range 10 {
		o.Send(frameOf(4))
	}
	if o.Drained(func() { told++ }) {
		t.Fatal("40 bytes of 320 are little")
	}
	for left := 10; left > 0; left-- {
		if wait := left > 4; (told == 0) != wait || o.Drained(func() {}) == wait {
			t.Errorf("%d bytes left: told %d times", 4*left, told)
		}
		o.take(nil, 1)
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestOutboxIsAQueue compares it with a list, whatever is sent and taken, and
// checks that what it holds stays within its limit.
func TestOutboxIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		owed := false // a notify that no take has followed
		o := newOutbox(limit, func() { owed = true })
		var want []service.Frame
		ended, known := false, false // known: a take has told so
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				f := frameOf(rapid.IntRange(0, 30).Draw(t, "bytes"))
				f.Asked = rapid.Bool().Draw(t, "asked for")
				o.Send(f)
				told := 0
				for _, w := range want {
					if !w.Asked {
						told += w.Len()
					}
				}
				switch {
				case ended:
				case !f.Asked && told > 0 && told+f.Len() > limit:
					ended, want = true, nil
				default:
					want = append(want, f)
				}
				if (len(want) > 0 || ended && !known) && !owed {
					t.Fatal("nobody was told that there is something")
				}
			},
			"take": func(t *rapid.T) {
				bytes := rapid.IntRange(1, 60).Draw(t, "at most")
				frames, why := o.take(nil, bytes)
				if len(frames) > len(want) || len(frames) == 0 && len(want) > 0 {
					t.Fatalf("%d frames of %d", len(frames), len(want))
				}
				size := 0
				for i, f := range frames {
					if f.Len() != want[i].Len() || i > 0 && size >= bytes {
						t.Fatalf("frame %d of %d bytes behind %d of %d, expected %d", i, f.Len(), size, bytes, want[i].Len())
					}
					size += f.Len()
				}
				want = want[len(frames):]
				if (why != nil) != ended {
					t.Fatalf("the end is %v", why)
				}
				known = ended
				owed = len(want) > 0 // whoever took goes on until there is nothing
			},
		})
	})
}
