package engine_test

import (
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
)

// TestCreditIsBoundedAndForgetsNobody runs random reservations and returns. What
// is out stays within the bounds, except for a request that is alone; whoever
// was turned away is called once, and in the end everybody has been.
func TestCreditIsBoundedAndForgetsNobody(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Null: true, Engine: engine.Options{Lanes: 1, MaxOps: 10, MaxBytes: 100}})
	credit := w.Engine.Credit
	rapid.Check(t, func(t *rapid.T) {
		type loan struct{ ops, bytes int }
		var out []loan
		turnedAway, called := 0, 0
		give := func() {
			l := out[0]
			out = out[1:]
			credit.Return(l.ops, l.bytes)
		}
		for range rapid.IntRange(1, 50).Draw(t, "actions") {
			if len(out) > 0 && rapid.Bool().Draw(t, "return") {
				give()
			} else {
				l := loan{rapid.IntRange(1, 14).Draw(t, "ops"), rapid.IntRange(0, 140).Draw(t, "bytes")}
				if credit.Reserve(l.ops, l.bytes, func() { called++ }) {
					out = append(out, l)
				} else {
					turnedAway++
					if len(out) == 0 {
						t.Fatalf("turned away although nothing is out")
					}
				}
			}
			ops, bytes := 0, 0
			for _, l := range out {
				ops += l.ops
				bytes += l.bytes
			}
			if o, b := credit.Used(); o != ops || b != bytes {
				t.Fatalf("counted are %d operations of %d bytes, out are %d of %d", o, b, ops, bytes)
			}
			if len(out) > 1 && (ops > 10 || bytes > 100) {
				t.Fatalf("%d operations of %d bytes are out", ops, bytes)
			}
			if called > turnedAway {
				t.Fatalf("%d were turned away, %d called", turnedAway, called)
			}
		}
		for len(out) > 0 {
			give()
		}
		if called != turnedAway {
			t.Fatalf("%d were turned away, %d called in the end", turnedAway, called)
		}
	})
}

// TestCreditOfManyCallers: concurrent callers that come again when they are
// called all get through.
func TestCreditOfManyCallers(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Null: true, Engine: engine.Options{Lanes: 1, MaxOps: 3, MaxBytes: 1 << 20}})
	credit := w.Engine.Credit
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			wake := make(chan struct{}, 1)
			for range 200 {
				for !credit.Reserve(2, 5, func() { wake <- struct{}{} }) {
					<-wake
				}
				credit.Return(2, 5)
			}
		})
	}
	all.Wait()
	if ops, bytes := credit.Used(); ops != 0 || bytes != 0 {
		t.Errorf("%d operations of %d bytes are out in the end", ops, bytes)
	}
}
