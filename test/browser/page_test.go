package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/test/chromium"
)

// TestKeyboard: everything can be done without a pointer.
func TestKeyboard(t *testing.T) {
	s := startServer(t)
	w := open(t, alice, connect(t, s).url(), chromium.PageOptions{})
	press := func(key string, held int) { t.Helper(); w.must(w.Press(w.ctx, key, held)) }
	w.focus("#new")
	w.must(w.Type(w.ctx, "one"))
	press("Enter", 0)
	w.must(w.Type(w.ctx, "three"))
	press("Enter", 0)
	w.shows("o one", "o three")
	press("ArrowUp", 0)
	press("ArrowUp", 0)
	press("Enter", 0)
	w.must(w.Type(w.ctx, "two"))
	w.shows("o one", "o two", "o three")
	press("Enter", chromium.Ctrl)
	w.shows("o one", "x two", "o three")
	press("ArrowDown", chromium.Alt)
	w.shows("o one", "o three", "x two")
	press("Enter", 0)
	w.shows("o one", "o three", "x two", "o ")
	press("Backspace", 0) // on an empty item
	w.shows("o one", "o three", "x two")
	w.must(w.Type(w.ctx, "!")) // the one before it has the focus
	w.shows("o one", "o three", "x two!")
	w.online()
}

// TestPhone: a finger reorders, ticks off and writes.
func TestPhone(t *testing.T) {
	s := startServer(t)
	w := open(t, bob, connect(t, s).url(), chromium.PageOptions{Width: 390, Height: 700, Phone: true})
	for _, text := range []string{"a", "b", "c"} {
		w.add(text)
	}
	w.must(w.Swipe(w.ctx, w.row("a")+" .grip", w.row("c")+" .grip"))
	w.shows("o b", "o c", "o a")
	w.tick("c")
	w.shows("o b", "x c", "o a")
	w.online()
}

// TestRemoveAndUndo: what was removed can be put back, as it was, for all.
func TestRemoveAndUndo(t *testing.T) {
	s := startServer(t)
	net := connect(t, s)
	a, b := open(t, alice, net.url(), chromium.PageOptions{}), open(t, bob, net.url(), chromium.PageOptions{})
	a.must(a.Click(a.ctx, "#example"))
	before := agree(t, 5, a, b)
	a.tick(before[1][2:])
	before = agree(t, 5, a, b)
	a.must(a.Click(a.ctx, ".item:nth-child(2) .remove"))
	agree(t, 4, a, b)
	a.must(a.Click(a.ctx, "#toast button"))
	b.shows(before...)
}

// TestWhatHappenedIsTold: the page says who is here and how far a write has
// come, and only what is true.
func TestWhatHappenedIsTold(t *testing.T) {
	s := startServer(t)
	hers := connect(t, s)
	a := open(t, alice, hers.url(), chromium.PageOptions{})
	a.online()
	a.until("document.querySelector('#people').dataset.others === '0'")
	hers.cut()
	a.offline()
	a.add("alone")
	reached := func(steps string) string {
		return `[...document.querySelectorAll('.write:first-child .reached')].map((e) => e.dataset.step).join(' ') === ` + quote(steps)
	}
	a.until(reached("local"))
	a.until("document.querySelector('.mark.shown').textContent === 'kept here'")
	hers.heal()
	a.until(reached("local sent disk"))
	// More acts than the note has room for: none is left saying less than is true.
	hers.cut()
	a.offline()
	for i := range 12 {
		a.add(fmt.Sprintf("one of many, %d", i))
	}
	hers.heal()
	a.online()
	a.until("[...document.querySelectorAll('.mark.shown')].every((m) => m.textContent === 'on disk')")
	b := open(t, bob, connect(t, s).url(), chromium.PageOptions{})
	a.until("document.querySelector('#people').dataset.others === '1'")
	a.add("together")
	b.has("together")
	a.until(reached("local sent disk seen"))
	b.must(b.Close(b.ctx))
	a.until("document.querySelector('#people').dataset.others === '0'")
}

// TestTheSwitch: the page can cut itself off, for all windows of the browser and
// over a reload.
func TestTheSwitch(t *testing.T) {
	s := startServer(t)
	net := connect(t, s)
	one, two := open(t, alice, net.url(), chromium.PageOptions{}), open(t, alice, net.url(), chromium.PageOptions{})
	one.must(one.Click(one.ctx, "#network"))
	two.until("document.body.dataset.state === 'offline' && !document.querySelector('#network').checked")
	two.add("kept")
	two.until("document.body.dataset.stored === 'yes'")
	two.must(two.Reload(two.ctx))
	two.until("document.body.dataset.state === 'offline'")
	two.has("kept")
	if got := kept(t, s); len(got) > 0 {
		t.Errorf("the server has %q of windows that are cut off", got)
	}
	two.must(two.Click(two.ctx, "#network"))
	agree(t, 1, one, two)
}

// TestEverythingHasAName: what can be focused says what it is, in the light, in
// the dark and on a phone, and nothing is wider than its screen.
func TestEverythingHasAName(t *testing.T) {
	s := startServer(t)
	url := connect(t, s).url()
	for name, opt := range map[string]chromium.PageOptions{
		"light": {},
		"dark":  {Dark: true},
		"phone": {Width: 360, Height: 640, Phone: true},
	} {
		w := open(t, alice, url, opt)
		w.add(name + ": " + strings.Repeat("a long text, ", 20) + "the end")
		controls, err := w.Controls(w.ctx)
		w.must(err)
		if len(controls) < 8 {
			t.Errorf("%s: only %q can be focused", name, controls)
		}
		for _, c := range controls {
			if c.Name == "" {
				t.Errorf("%s: a %s has no name", name, c.Role)
			}
		}
		var wide bool
		w.must(w.Eval(w.ctx, "document.documentElement.scrollWidth > innerWidth", &wide))
		if wide {
			t.Errorf("%s: the page is wider than its screen", name)
		}
	}
}
