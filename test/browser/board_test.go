package browser

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	topgun "github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/test/chromium"
)

// kept returns the texts that the server has, by asking it with another client.
func kept(t *testing.T, s *server) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := topgun.Connect(ctx, "ws://"+s.addr()+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	texts := topgun.MapOf[struct {
		V string `json:"v"`
	}](c, "board.text")
	if err := texts.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	entries, err := texts.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.V)
	}
	slices.Sort(all)
	return all
}

// texts are the texts of what a window shows, sorted.
func texts(items []string) []string {
	var out []string
	for _, i := range items {
		out = append(out, i[2:])
	}
	slices.Sort(out)
	return out
}

// TestOfflineInTwoTabsAndASecondProfile is the promise of the page: two tabs
// and another person lose the network, all go on writing, one reloads, one
// closes a tab with unsent writes, the server is killed meanwhile; when the
// network is back, all agree, nothing is lost and nothing doubled.
func TestOfflineInTwoTabsAndASecondProfile(t *testing.T) {
	s := startServer(t)
	hers, his := connect(t, s), connect(t, s)
	one := open(t, alice, hers.url(), chromium.PageOptions{})
	two := open(t, alice, hers.url(), chromium.PageOptions{})
	bobs := open(t, bob, his.url(), chromium.PageOptions{})
	one.add("ours")
	one.add("first")
	two.has("first")
	two.add("second")
	agree(t, 3, one, two, bobs)

	hers.cut()
	his.cut()
	for _, w := range []*window{one, two, bobs} {
		w.offline()
	}
	one.add("from one")
	two.has("from one") // without a server: they share a browser
	two.add("from two")
	one.has("from two")
	one.write("ours", "ours, as she says")
	bobs.add("from him")
	bobs.tick("ours")
	bobs.write("ours", "ours, as he says")
	two.must(two.Press(two.ctx, "Tab", 0))

	one.until("document.body.dataset.stored === 'yes'")
	one.must(one.Reload(one.ctx)) // there is nobody to load it from
	one.shows("o ours, as she says", "o first", "o second", "o from one", "o from two")
	two.until("document.body.dataset.stored === 'yes'")
	two.must(two.Close(two.ctx)) // with a write that nobody else will send
	s.kill()
	s.start()
	three := open(t, alice, hers.url(), chromium.PageOptions{})
	three.has("from two")

	hers.heal()
	his.heal()
	items := agree(t, 6, one, three, bobs)
	if !slices.Contains(items, "x ours, as he says") {
		t.Errorf("his text is the later one, and his tick is not hers to take back; they show %q", items)
	}
	want := []string{"first", "from him", "from one", "from two", "ours, as he says", "second"}
	if got := texts(items); !slices.Equal(got, want) {
		t.Errorf("they show %q, want %q", got, want)
	}
	if got := kept(t, s); !slices.Equal(got, want) {
		t.Errorf("the server has %q, want %q", got, want)
	}
}

// TestTheLastTabIsClosed: what it had not sent is there in the next one, and
// goes out from there.
func TestTheLastTabIsClosed(t *testing.T) {
	s := startServer(t)
	net := connect(t, s)
	one := open(t, alice, net.url(), chromium.PageOptions{})
	one.add("sent")
	one.online()
	net.cut()
	one.offline()
	one.add("not sent")
	one.until("document.body.dataset.stored === 'yes'")
	one.must(one.Close(one.ctx))
	two := open(t, alice, net.url(), chromium.PageOptions{})
	two.shows("o sent", "o not sent")
	two.until("document.body.dataset.pending === '2'") // its text and its place
	net.heal()
	two.online()
	if got, want := kept(t, s), []string{"not sent", "sent"}; !slices.Equal(got, want) {
		t.Errorf("the server has %q, want %q", got, want)
	}
}

// TestTheServerIsKilledUnderWrites: whatever was on its way is there once.
func TestTheServerIsKilledUnderWrites(t *testing.T) {
	s := startServer(t)
	net := connect(t, s)
	a, b := open(t, alice, net.url(), chromium.PageOptions{}), open(t, bob, net.url(), chromium.PageOptions{})
	var want []string
	for i := range 12 {
		text := fmt.Sprintf("item %02d", i)
		want = append(want, "o "+text)
		a.add(text)
		if i%5 == 3 {
			s.kill()
			s.start()
		}
	}
	a.online()
	if got := agree(t, len(want), a, b); !slices.Equal(got, want) {
		t.Errorf("they show %q, want %q", got, want)
	}
	if got := kept(t, s); !slices.Equal(got, texts(want)) {
		t.Errorf("the server has %q", got)
	}
}

// TestAClockAheadDoesNotWin: a machine whose clock is an hour ahead writes, and
// later writes of others still count.
func TestAClockAheadDoesNotWin(t *testing.T) {
	s := startServer(t)
	hers, his := connect(t, s), connect(t, s)
	a := open(t, alice, hers.url(), chromium.PageOptions{})
	b := open(t, bob, his.url(), chromium.PageOptions{ClockAhead: time.Hour})
	b.add("milk")
	b.online()
	a.has("milk")
	a.write("milk", "oat milk")
	b.has("oat milk")

	his.cut()
	b.offline()
	b.write("oat milk", "soy milk")
	b.add("bread")
	a.write("oat milk", "no milk")
	a.online()
	his.heal()
	agree(t, 2, a, b)
	a.write(a.items()[0][2:], "milk after all")
	items := agree(t, 2, a, b)
	if want := []string{"o milk after all", "o bread"}; !slices.Equal(items, want) {
		t.Errorf("they show %q, want %q", items, want)
	}
}

// TestOrderMerges: two people reorder at the same time, each without the other.
func TestOrderMerges(t *testing.T) {
	s := startServer(t)
	hers, his := connect(t, s), connect(t, s)
	a, b := open(t, alice, hers.url(), chromium.PageOptions{}), open(t, bob, his.url(), chromium.PageOptions{})
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		a.add(text)
	}
	agree(t, 5, a, b)
	hers.cut()
	his.cut()
	a.offline()
	b.offline()
	a.must(a.Drag(a.ctx, a.row("e")+" .grip", a.row("b")+" .grip"))
	a.shows("o a", "o e", "o b", "o c", "o d")
	b.focus(b.row("a") + " .text")
	b.must(b.Press(b.ctx, "ArrowDown", chromium.Alt))
	b.must(b.Press(b.ctx, "ArrowDown", chromium.Alt))
	b.shows("o b", "o c", "o a", "o d", "o e")
	hers.heal()
	his.heal()
	agree(t, 5, a, b)
	a.shows("o e", "o b", "o c", "o a", "o d") // each has what was moved where it was put
}
