package chromium

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Task is one uninterrupted piece of work on a page's main thread.
type Task struct {
	// Start is on the clock of the trace.
	Start time.Duration
	// Took is how long it lasted.
	Took time.Duration
	// CPU is for how much of that the thread ran: on a busy machine it also
	// waits for others in the middle of a task.
	CPU time.Duration
	// Inside are the longest parts of it, by name.
	Inside []Part
}

// Part is what a task did, or a part of that.
type Part struct {
	Name string
	Took time.Duration
}

// trace collects what the browser's tracing says.
type trace struct {
	mu     sync.Mutex
	events []event
	done   chan struct{}
}

// event is one event of the trace, times in microseconds.
type event struct {
	Name     string          `json:"name"`
	Phase    string          `json:"ph"`
	Thread   int64           `json:"tid"`
	Process  int64           `json:"pid"`
	Time     float64         `json:"ts"`
	Duration float64         `json:"dur"`
	CPU      float64         `json:"tdur"`
	Args     json.RawMessage `json:"args"`
}

func (t *trace) heard(method string, params json.RawMessage) {
	if method == "Tracing.tracingComplete" {
		close(t.done)
		return
	}
	var data struct {
		Value []event `json:"value"`
	}
	if json.Unmarshal(params, &data) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, data.Value...)
}

// Trace begins to record what the page's threads do.
func (p *Page) Trace(ctx context.Context) error {
	p.mu.Lock()
	p.trace = &trace{done: make(chan struct{})}
	p.mu.Unlock()
	return p.call(ctx, "Tracing.start", object{
		"transferMode": "ReportEvents",
		"traceConfig": object{
			"recordMode":         "recordAsMuchAsPossible",
			"includedCategories": []string{"toplevel", "devtools.timeline", "v8", "disabled-by-default-v8.gc", "disabled-by-default-devtools.timeline"},
			"excludedCategories": []string{"*"},
		},
	}, nil)
}

// Tasks ends the recording and returns the tasks of the page's main thread, the
// longest first.
func (p *Page) Tasks(ctx context.Context) ([]Task, error) {
	p.mu.Lock()
	t := p.trace
	p.mu.Unlock()
	if err := p.call(ctx, "Tracing.end", nil, nil); err != nil {
		return nil, err
	}
	select {
	case <-t.done:
	case <-p.pipe.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return tasks(t.events), nil
}

// tasks finds the main thread that ran the most and takes its tasks apart.
func tasks(events []event) []Task {
	type thread struct{ process, thread int64 }
	main := map[thread]bool{}
	for _, e := range events {
		var args struct {
			Name string `json:"name"`
		}
		if e.Name == "thread_name" && json.Unmarshal(e.Args, &args) == nil && args.Name == "CrRendererMain" {
			main[thread{e.Process, e.Thread}] = true
		}
	}
	var all []Task
	for th := range main {
		all = append(all, threadTasks(events, th.process, th.thread)...)
	}
	slices.SortFunc(all, func(a, b Task) int { return cmp.Compare(b.Took, a.Took) })
	return all
}

// threadTasks returns the tasks of one thread.
func threadTasks(events []event, process, thread int64) []Task {
	var tasks []Task
	var parts []event
	for _, e := range events {
		if e.Phase != "X" || e.Process != process || e.Thread != thread {
			continue
		}
		switch e.Name {
		case "RunTask":
			tasks = append(tasks, Task{Start: micros(e.Time), Took: micros(e.Duration), CPU: micros(e.CPU)})
		case "ThreadControllerImpl::RunTask": // the same once more
		default:
			parts = append(parts, e)
		}
	}
	for i := range tasks {
		t := &tasks[i]
		if t.Took < time.Millisecond {
			continue
		}
		for _, e := range parts {
			if start := micros(e.Time); start >= t.Start && start < t.Start+t.Took && micros(e.Duration) > t.Took/10 {
				t.Inside = append(t.Inside, Part{e.Name, micros(e.Duration)})
			}
		}
	}
	return tasks
}

func micros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }
