package actor_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/grid/actor"
)

// TestMailboxKeepsOrderAndBound runs random pushes and takes against a slice.
func TestMailboxKeepsOrderAndBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		bell := actor.NewBell()
		m := actor.NewMailbox[int](limit, bell)
		var model []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				next++
				want := len(model) < limit
				if got := m.Push(next); got != want {
					t.Fatalf("Push with %d of %d there: %t", len(model), limit, got)
				}
				if want {
					model = append(model, next)
				}
			},
			"take": func(t *rapid.T) {
				select {
				case <-bell:
				default:
					if len(model) > 0 {
						t.Fatalf("%d messages wait and nobody was woken", len(model))
					}
				}
				if got := m.Take(); !slices.Equal(got, model) {
					t.Fatalf("took %v, want %v", got, model)
				}
				model = nil
			},
			"": func(t *rapid.T) {
				if m.Len() != len(model) {
					t.Fatalf("%d messages, want %d", m.Len(), len(model))
				}
			},
		})
	})
}

// TestTakenMessagesAreForgotten: what was taken is not kept alive by the mailbox.
func TestTakenMessagesAreForgotten(t *testing.T) {
	m := actor.NewMailbox[*int](4, actor.NewBell())
	m.Push(new(int))
	taken := m.Take()
	m.Take()
	if taken[:1][0] != nil {
		t.Error("the memory of a message that was taken still refers to it")
	}
}

// TestMailboxOfManyWriters: each writer's messages come in its order, all of
// them once.
func TestMailboxOfManyWriters(t *testing.T) {
	const writers, each = 8, 500
	bell := actor.NewBell()
	m := actor.NewMailbox[[2]int](writers*each, bell)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if !m.Push([2]int{w, i}) {
					t.Error("a mailbox with room is full")
				}
			}
		})
	}
	var last [writers]int
	for got := 0; got < writers*each; {
		<-bell
		for _, v := range m.Take() {
			if v[1] != last[v[0]] {
				t.Fatalf("message %d of writer %d comes after %d", v[1], v[0], last[v[0]]-1)
			}
			last[v[0]]++
			got++
		}
	}
	all.Wait()
	if m.Len() != 0 {
		t.Errorf("%d messages are left", m.Len())
	}
}

func TestBellKeepsOneRing(t *testing.T) {
	b := actor.NewBell()
	for range 3 {
		b.Ring()
	}
	<-b
	select {
	case <-b:
		t.Error("three rings wake up twice")
	default:
	}
}

// worker counts steps.
type worker struct {
	bell  actor.Bell
	work  int
	steps int
	log   []string
}

func (w *worker) Wake() <-chan struct{} { return w.bell }

func (w *worker) Step() bool {
	w.steps++
	if w.work == 0 {
		return false
	}
	w.work--
	w.log = append(w.log, fmt.Sprint("did ", w.work))
	return true
}

// TestRunStepsWhileThereIsWork: until there is none, then it waits for the bell;
// it ends with its context, in the midst of work or while it waits.
func TestRunStepsWhileThereIsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &worker{bell: actor.NewBell(), work: 3}
		ended := make(chan struct{})
		go func() { actor.Run(ctx, w); close(ended) }()
		synctest.Wait()
		if w.work != 0 || w.steps != 4 {
			t.Errorf("%d left after %d steps", w.work, w.steps)
		}
		w.work = 2
		w.bell.Ring()
		synctest.Wait()
		if w.work != 0 || w.steps != 7 {
			t.Errorf("woken: %d left after %d steps", w.work, w.steps)
		}
		cancel()
		<-ended

		endless := &worker{bell: actor.NewBell(), work: 1 << 40}
		actor.Run(ctx, endless)
		if endless.steps != 1 {
			t.Errorf("%d steps after the end", endless.steps)
		}
	})
}
