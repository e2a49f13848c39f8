package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/test/chromium"
)

// window is a page with the board in it, and what a person does there.
type window struct {
	*chromium.Page
	t   *testing.T
	ctx context.Context
}

// open opens the board and waits until the page works, without a network too
// from then on.
func open(t *testing.T, b *chromium.Browser, url string, opt chromium.PageOptions) *window {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p, err := b.Open(ctx, url, opt)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	w := &window{Page: p, t: t, ctx: ctx}
	t.Cleanup(func() {
		for _, problem := range p.Problems() {
			t.Errorf("on the page: %s", problem)
		}
		_ = p.Close(ctx) // the test may have closed it
		cancel()
	})
	w.until("document.body.dataset.kept === 'yes' && document.body.dataset.state !== 'starting'")
	return w
}

func (w *window) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for what the page shows.
func (w *window) until(condition string) {
	w.t.Helper()
	if err := w.Wait(w.ctx, condition); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var items []string
		_ = w.Eval(ctx, shows, &items) // for the message
		w.t.Fatalf("%v\nitems: %q", err, items)
	}
}

// online waits until the page is connected and the server has everything on
// disk.
func (w *window) online() {
	w.t.Helper()
	w.until("document.body.dataset.state === 'online' && document.body.dataset.pending === '0'")
}

// offline waits until the page says that nobody answers.
func (w *window) offline() {
	w.t.Helper()
	w.until("document.body.dataset.state === 'connecting' || document.body.dataset.state === 'offline'")
}

// focus moves the focus: no row that arrives meanwhile gets under the pointer.
func (w *window) focus(selector string) {
	w.t.Helper()
	w.must(w.Eval(w.ctx, fmt.Sprintf("document.querySelector(%s).focus()", quote(selector)), nil))
}

// add writes an item.
func (w *window) add(text string) {
	w.t.Helper()
	w.focus("#new")
	w.must(w.Type(w.ctx, text))
	w.must(w.Press(w.ctx, "Enter", 0))
	w.has(text)
}

// row finds the item with a text; it is there.
func (w *window) row(text string) string {
	w.t.Helper()
	var id string
	w.must(w.Eval(w.ctx, fmt.Sprintf(`[...document.querySelectorAll('.item')].find((e) => e.querySelector('.text').value === %s).dataset.id`, quote(text)), &id))
	return `.item[data-id="` + id + `"]`
}

// write replaces the text of an item.
func (w *window) write(text, by string) {
	w.t.Helper()
	row := w.row(text)
	w.focus(row + " .text")
	w.must(w.Eval(w.ctx, "document.activeElement.select()", nil))
	w.must(w.Type(w.ctx, by))
	w.must(w.Press(w.ctx, "Escape", 0))
	w.has(by)
}

// tick ticks an item off.
func (w *window) tick(text string) {
	w.t.Helper()
	w.must(w.Click(w.ctx, w.row(text)+" .done"))
	w.until(shows + fmt.Sprintf(`.includes(%s)`, quote("x "+text)))
}

// has waits for an item.
func (w *window) has(text string) {
	w.t.Helper()
	w.until(shows + fmt.Sprintf(`.some((s) => s.slice(2) === %s)`, quote(text)))
}

// shows is a script: the items in their order, "x milk" when milk is done, else
// "o milk".
const shows = `[...document.querySelectorAll('.item')].map((e) => (e.querySelector('.done').checked ? 'x ' : 'o ') + e.querySelector('.text').value)`

// items are what the page shows.
func (w *window) items() []string {
	w.t.Helper()
	var items []string
	w.must(w.Eval(w.ctx, shows, &items))
	return items
}

// shows waits until the page shows these items in this order.
func (w *window) shows(items ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("JSON.stringify(%s) === %s", shows, quote(string(must(json.Marshal(items))))))
}

// agree waits until all windows show the same so many items, with everything on
// the server's disk, and returns them. Each window's own writes show in it at
// once, so windows that show the same have each other's.
func agree(t *testing.T, count int, windows ...*window) []string {
	t.Helper()
	for _, w := range windows {
		w.online()
		w.until(fmt.Sprintf("document.querySelectorAll('.item').length === %d", count))
	}
	deadline := time.Now().Add(patience)
	for {
		all := make([][]string, len(windows))
		for i, w := range windows {
			all[i] = w.items()
		}
		if !slices.ContainsFunc(all, func(items []string) bool { return !slices.Equal(items, all[0]) }) {
			return all[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the windows do not agree: %q", all)
		}
		// Whatever is missing changes one of them.
		for i, w := range windows {
			w.within(100*time.Millisecond, fmt.Sprintf("JSON.stringify(%s) !== %s", shows, quote(string(must(json.Marshal(all[i]))))))
		}
	}
}

// within waits for what the page may show soon.
func (w *window) within(d time.Duration, condition string) {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	defer cancel()
	_ = w.Wait(ctx, condition) // the caller looks again in any case
}

// quote makes a text a literal of a script.
func quote(text string) string { return string(must(json.Marshal(text))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
