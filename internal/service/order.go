package service

import "sync"

// Order releases the answers of one session in the order of its requests,
// whatever the order in which they become ready. An acknowledgement covers all
// operations before it, so it must not leave before theirs are known (law 3,
// ACK-CUMULATIVE).
type Order struct {
	out   Outbox
	limit int
	freed func()

	mu     sync.Mutex
	queue  []*Ticket
	full   bool
	failed bool
	empty  func()
}

// NewOrder makes the order of one session. At most limit tickets are out at a
// time; freed is called, from any goroutine, when there is room after Full had
// said that there is none.
func NewOrder(out Outbox, limit int, freed func()) *Order {
	return &Order{out: out, limit: limit, freed: freed}
}

// Ticket is the place of one request in the order.
type Ticket struct {
	order  *Order
	frames []Frame
	done   bool
	passed func(ok bool) // of a mark: see After
}

// Take gives the next place. The caller has asked Full before.
func (o *Order) Take() *Ticket {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &Ticket{order: o}
	o.queue = append(o.queue, t)
	return t
}

// After calls fn, perhaps at once, when every request before it has its answer;
// ok is false when one of them was given up for a transient reason. Like Take it
// is called only after Full.
func (o *Order) After(fn func(ok bool)) {
	o.mu.Lock()
	if len(o.queue) > 0 {
		o.queue = append(o.queue, &Ticket{order: o, done: true, passed: fn})
		o.mu.Unlock()
		return
	}
	ok := !o.failed
	o.mu.Unlock()
	fn(ok)
}

// Full reports whether Take would give nothing; freed is then called when that
// has changed.
func (o *Order) Full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.full = len(o.queue) >= o.limit
	return o.full
}

// Resolve gives the ticket its answer, which is sent once everything before it
// is. It is called once; no frames are a legal answer. The slice stays the
// caller's.
func (t *Ticket) Resolve(frames ...Frame) {
	o := t.order
	o.mu.Lock()
	t.done = true
	if o.queue[0] == t {
		// The usual case: nothing is before it.
		o.sendLocked(frames)
	} else {
		t.frames = append([]Frame(nil), frames...)
	}
	n := 0
	var passed []func(ok bool)
	for n < len(o.queue) && o.queue[n].done {
		o.sendLocked(o.queue[n].frames)
		if fn := o.queue[n].passed; fn != nil {
			passed = append(passed, fn)
		}
		n++
	}
	failed := o.failed
	rest := copy(o.queue, o.queue[n:])
	clear(o.queue[rest:])
	o.queue = o.queue[:rest]
	freed := n > 0 && o.full
	if freed {
		o.full = false
	}
	var empty func()
	if len(o.queue) == 0 {
		empty, o.empty = o.empty, nil
	}
	o.mu.Unlock()
	for _, fn := range passed {
		fn(!failed)
	}
	if freed {
		o.freed()
	}
	if empty != nil {
		empty()
	}
}

func (o *Order) sendLocked(frames []Frame) {
	if o.failed {
		return
	}
	for _, f := range frames {
		o.out.Send(f)
	}
}

// WhenEmpty calls fn once no place is out, perhaps at once.
func (o *Order) WhenEmpty(fn func()) {
	o.mu.Lock()
	if len(o.queue) > 0 {
		o.empty = fn
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	fn()
}

// Fail gives up the ticket for a transient reason: its operations stay with the
// client. Nothing behind it may be acknowledged any more, so the session ends
// after saying why; the client comes back and sends them again.
func (t *Ticket) Fail(e *Error, why *CloseError) {
	o := t.order
	o.mu.Lock()
	first := !o.failed
	o.failed = true
	o.mu.Unlock()
	if first {
		o.out.Send(Frame{Head: e.Message().AppendTo(nil)})
		o.out.Close(why)
	}
	t.Resolve()
}
