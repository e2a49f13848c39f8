package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	topgun "github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/test/chromium"
)

var (
	measure = flag.Bool("measure", false, "measure the client in a page instead of testing")
	records = flag.Int("records", 100_000, "records that the measurement is made with")
)

//go:embed testdata/measure.js
var measureScript string

// What issue and documents promise of the client in a browser.
const (
	maxWrite = time.Millisecond
	maxStart = 1500 * time.Millisecond
	maxTask  = 50 * time.Millisecond
)

// TestMeasure reports what the client takes for many records in a page. It is a
// measurement, `make bench-browser`, and no part of the tests.
func TestMeasure(t *testing.T) {
	if !*measure {
		t.Skip("measures with -measure only: make bench-browser")
	}
	s := startServer(t, "TOPGUN_OPS_PER_SECOND=10000000", "TOPGUN_OPS_BURST=10000000")
	fill(t, s, *records)

	sync := newPage(t, s)
	sync.run("initial sync", "initialSync()")
	for range 3 {
		started := newPage(t, s).run("start from what is kept", "start()")
		judge(t, "first page", started["firstPage"], maxStart)
	}
	p := newPage(t, s)
	t.Logf("writes are made with %v", p.eval("open()"))
	wrote := p.run("writes", "writes(2000)")
	for _, to := range []string{"toMap", "toQuery"} {
		f, ok := wrote[to].(map[string]any)
		if !ok {
			t.Fatalf("the writes say %v", wrote)
		}
		judge(t, "write "+to+" p99", f["p99"], maxWrite)
	}
}

// measured is a page with the script of the measurement, and nothing warm in it
// but that.
type measured struct {
	*chromium.Page
	t *testing.T
}

func newPage(t *testing.T, s *server) measured {
	t.Helper()
	// Any page of the server's origin would do.
	p, err := alice.Open(t.Context(), "http://"+s.addr()+"/health", chromium.PageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) }) // the browser ends anyway
	script := strings.Replace(measureScript, "'/topgun.js'", "'http://"+s.addr()+"/topgun.js'", 1)
	m := measured{p, t}
	if err := p.Eval(t.Context(), `import(URL.createObjectURL(new Blob([`+quote(script)+`], { type: 'text/javascript' }))).then((m) => { window.measured = m; })`, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m measured) eval(call string) map[string]any {
	m.t.Helper()
	var figures map[string]any
	if err := m.Eval(m.t.Context(), "measured."+call, &figures); err != nil {
		m.t.Fatal(err)
	}
	return figures
}

// run calls a function of the script and reports its figures and the tasks that
// the browser's tracing saw meanwhile.
func (m measured) run(name, call string) map[string]any {
	m.t.Helper()
	if err := m.Trace(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	figures := m.eval(call)
	tasks, err := m.Tasks(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	report(m.t, name, figures, tasks)
	return figures
}

// fill writes records of about a hundred bytes.
func fill(t *testing.T, s *server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	c, err := topgun.Connect(ctx, "ws://"+s.addr()+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	type record struct {
		Group int    `json:"group"`
		Rank  int    `json:"rank"`
		Text  string `json:"text"`
	}
	m := topgun.MapOf[record](c, "records")
	for i := range n {
		r := record{Group: i % 100, Rank: int(uint32(i) * 2654435761 >> 8), Text: strings.Repeat("x", 75)}
		if _, err := m.Set(fmt.Sprintf("record-%06d", i), r); err != nil {
			t.Fatal(err)
		}
		if i%10_000 == 9_999 {
			if err := c.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// judge says whether a figure, in milliseconds, is what was promised.
func judge(t *testing.T, what string, ms any, limit time.Duration) {
	t.Helper()
	took, ok := ms.(float64)
	if !ok || took > float64(limit)/float64(time.Millisecond) {
		t.Errorf("%s took %v ms, promised are at most %v", what, ms, limit)
	}
}

// report writes figures and the longest tasks.
func report(t *testing.T, name string, figures map[string]any, tasks []chromium.Task) {
	t.Helper()
	t.Logf("%s: %s", name, must(json.Marshal(figures)))
	long, busy := 0, 0
	for _, task := range tasks {
		if task.Took > maxTask {
			long++
		}
		if task.CPU > maxTask {
			busy++
		}
	}
	t.Logf("  of %d tasks %d lasted longer than %v, %d ran for longer", len(tasks), long, maxTask, busy)
	if busy > 0 {
		t.Errorf("%s: %d tasks ran for longer than %v", name, busy, maxTask)
	}
	for _, task := range tasks[:min(len(tasks), max(3, min(long, 12)))] {
		var parts []string
		for _, p := range task.Inside {
			parts = append(parts, fmt.Sprintf("%s %.1f ms", p.Name, float64(p.Took)/1e6))
		}
		t.Logf("  task of %.1f ms, %.1f of them running: %s", float64(task.Took)/1e6, float64(task.CPU)/1e6, strings.Join(parts[:min(len(parts), 8)], ", "))
	}
}
