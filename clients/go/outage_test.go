package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
)

func TestWhatIsWrittenOfflineArrivesInOrder(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, "")
	c := connect(t, p.url(), topgun.StartOffline())
	m := topgun.MapOf[int](c, "m")
	sets := topgun.ORMapOf[int](c, "sets")
	for i := range 2500 { // more than one frame
		must(m.Set(fmt.Sprint("k", i%100), i))(t)
	}
	must(sets.Add("s", 1))(t)
	must(sets.Remove("s", 1))(t)
	must(sets.Add("s", 2))(t)
	last := must(m.Remove("k99"))(t)
	if c.Pending() != 2504 {
		t.Fatalf("%d operations wait", c.Pending())
	}
	p.lead(s.port)
	written(t, last, nil)
	if err := c.Flush(within(t)); err != nil || c.Pending() != 0 {
		t.Fatalf("flush: %v, %d wait", err, c.Pending())
	}
	other := s.connect()
	om, osets := topgun.MapOf[int](other, "m"), topgun.ORMapOf[int](other, "sets")
	settle(t, m, om)
	settle(t, sets, osets)
	got := must(om.Entries())(t)
	if len(got) != 99 || got["k98"] != 2498 {
		t.Errorf("%d entries, k98 is %d", len(got), got["k98"])
	}
	if set := must(osets.Get("s"))(t); len(set) != 1 || set[0] != 2 {
		t.Errorf("the set is %v", set)
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, "")
	c := connect(t, p.url(), topgun.StartOffline(), topgun.WithLimits(topgun.Limits{QueueOps: 3, Publications: 2}))
	m := topgun.MapOf[int](c, "m")
	for i := range 3 {
		must(m.Set("k", i))(t)
	}
	_, err := m.Set("k", 3)
	var full *topgun.QueueFullError
	if !errors.As(err, &full) || !errors.Is(err, topgun.ErrQueueFull) || full.Limit != 3 {
		t.Fatalf("got %v", err)
	}
	if got := must(m.Get("k"))(t); got != 2 {
		t.Errorf("a refused write left %d", got)
	}
	topic := topgun.TopicOf[int](c, "t")
	for range 2 {
		if err := topic.Publish(1); err != nil {
			t.Fatal(err)
		}
	}
	if err := topic.Publish(1); !errors.Is(err, topgun.ErrQueueFull) {
		t.Errorf("got %v", err)
	}
	p.lead(s.port)
	if err := c.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	must(m.Set("k", 4))(t)

	small := connect(t, p.url(), topgun.WithLimits(topgun.Limits{QueueBytes: 100}))
	if _, err := topgun.MapOf[string](small, "m").Set("k", fmt.Sprintf("%200d", 1)); !errors.Is(err, topgun.ErrQueueFull) {
		t.Errorf("got %v", err)
	}
}

func TestALostAcknowledgementRepeatsNothing(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	c := connect(t, p.url())
	m, sets := topgun.MapOf[string](c, "m"), topgun.ORMapOf[string](c, "sets")
	settle(t, m)
	settle(t, sets)
	other := s.connect()
	om, osets := topgun.MapOf[string](other, "m"), topgun.ORMapOf[string](other, "sets")
	settle(t, om)
	settle(t, osets)
	watch := must(osets.Subscribe(within(t)))(t)

	p.deafen(true)
	must(m.Set("k", "v"))(t)
	w := must(sets.Add("k", "red"))(t)
	await(t, watch, func(c topgun.SetChange[string]) bool { return len(c.Values) == 1 })
	select {
	case <-w.Done():
		t.Fatal("the acknowledgement was to be lost")
	default:
	}
	p.deafen(false)
	p.cut()
	written(t, w, nil)
	// Nothing else happens to the key until its removal.
	written(t, must(sets.Remove("k", "red"))(t), nil)
	if got := must(watch.Next())(t); len(got.Values) != 0 {
		t.Errorf("the repeated operation changed something: %v", got)
	}
	settle(t, sets, osets)
	settle(t, m, om)
}

func TestTheDeviceStaysTheSame(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	c := connect(t, p.url())
	device := c.DeviceToken()
	if device == "" {
		t.Fatal("no device")
	}
	states := must(c.WatchState(within(t)))(t)
	await(t, states, func(s topgun.State) bool { return s == topgun.Connected })
	p.cut()
	await(t, states, func(s topgun.State) bool { return s != topgun.Connected })
	await(t, states, func(s topgun.State) bool { return s == topgun.Connected })
	if c.DeviceToken() != device {
		t.Error("another device after the reconnect")
	}
	if again := s.connect(topgun.WithDeviceToken(device)); again.DeviceToken() != device {
		t.Error("another device in the next process")
	}
}

func TestAServerThatComesBackWithItsData(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	c := connect(t, p.url())
	m, sets, n := topgun.MapOf[int](c, "m"), topgun.ORMapOf[int](c, "sets"), topgun.CounterOf(c, "n")
	for i := range 50 {
		must(m.Set(fmt.Sprint(i), i))(t)
		must(sets.Add(fmt.Sprint(i), i))(t)
	}
	if err := n.Increment(5); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Flush(within(t)), n.Sync(within(t))); err != nil {
		t.Fatal(err)
	}
	s.stop()
	awaitState(t, c, topgun.Disconnected)
	must(m.Remove("7"))(t)
	must(sets.Remove("7", 7))(t)
	if err := n.Decrement(2); err != nil {
		t.Fatal(err)
	}
	s.start()
	p.lead(s.port)
	if err := errors.Join(c.Flush(within(t)), n.Sync(within(t))); err != nil {
		t.Fatal(err)
	}
	other := s.connect()
	om, osets, on := topgun.MapOf[int](other, "m"), topgun.ORMapOf[int](other, "sets"), topgun.CounterOf(other, "n")
	settle(t, m, om)
	settle(t, sets, osets)
	if err := on.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := must(om.Entries())(t); len(got) != 49 || got["8"] != 8 {
		t.Errorf("the map has %d entries", len(got))
	}
	if got := must(osets.Entries())(t); len(got) != 49 || got["8"][0] != 8 {
		t.Errorf("the sets have %d entries", len(got))
	}
	if on.Value() != 3 {
		t.Errorf("the counter is %v", on.Value())
	}
}

// TestReplicasConvergeWhateverIsCut runs random writes on several clients while
// their connections break. SEED repeats a run, as far as the machine lets it.
func TestReplicasConvergeWhateverIsCut(t *testing.T) {
	seed := rand.Uint64()
	if env := os.Getenv("SEED"); env != "" {
		seed, _ = strconv.ParseUint(env, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	s := startServer(t)
	const clients, steps, keys = 3, 400, 12
	type outcome struct {
		counted float64
		err     error
	}
	done := make(chan outcome, clients)
	var proxies []*proxy
	var maps []*topgun.Map[int]
	var sets []*topgun.ORMap[int]
	var counters []*topgun.Counter
	for i := range clients {
		p := startProxy(t, s.port)
		c := connect(t, p.url())
		m, set, n := topgun.MapOf[int](c, "m"), topgun.ORMapOf[int](c, "sets"), topgun.CounterOf(c, "n")
		proxies, maps, sets, counters = append(proxies, p), append(maps, m), append(sets, set), append(counters, n)
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		go func() {
			counted, err := wander(r, p, m, set, n, steps, keys)
			done <- outcome{counted, err}
		}()
	}
	counted := 0.0
	for range clients {
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		counted += o.counted
	}
	for _, p := range proxies {
		p.deafen(false)
		p.cut()
	}
	var replicas, setReplicas []replica
	for i := range clients {
		replicas, setReplicas = append(replicas, maps[i]), append(setReplicas, sets[i])
		if err := counters[i].Sync(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, replicas...)
	settle(t, setReplicas...)
	for i := range clients {
		if err := counters[i].Sync(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clients {
		if got, want := fmt.Sprint(must(maps[i].Entries())(t)), fmt.Sprint(must(maps[0].Entries())(t)); got != want {
			t.Errorf("client %d has %s\nclient 0 has %s", i, got, want)
		}
		if got, want := fmt.Sprint(must(sets[i].Entries())(t)), fmt.Sprint(must(sets[0].Entries())(t)); got != want {
			t.Errorf("client %d has %s\nclient 0 has %s", i, got, want)
		}
	}
	// Each step counts once, whatever was sent again.
	fresh := topgun.CounterOf(s.connect(), "n")
	if err := fresh.Sync(within(t)); err != nil || fresh.Value() != counted {
		t.Errorf("the server has counted to %v, the clients to %v; %v", fresh.Value(), counted, err)
	}
	for i := range clients {
		changes := must(counters[i].Subscribe(within(t)))(t)
		for counters[i].Value() != fresh.Value() {
			must(changes.Next())(t)
		}
		changes.Close()
	}
}

// wander does random things to a client and its connection, and returns how far
// it has counted.
func wander(r *rand.Rand, p *proxy, m *topgun.Map[int], sets *topgun.ORMap[int], n *topgun.Counter, steps, keys int) (float64, error) {
	counted := 0.0
	var last *topgun.Write
	for range steps {
		key := "ключ" + strconv.Itoa(r.IntN(keys))
		var w *topgun.Write
		var err error
		switch k := r.IntN(100); {
		case k < 30:
			w, err = m.Set(key, r.IntN(5))
		case k < 40:
			w, err = m.Remove(key)
		case k < 60:
			w, err = sets.Add(key, r.IntN(4))
		case k < 75:
			w, err = sets.Remove(key, r.IntN(4))
		case k < 85:
			by := float64(1 + r.IntN(3))
			counted += by
			err = n.Increment(by)
		case k < 88:
			counted--
			err = n.Decrement(1)
		case k < 91:
			p.deafen(true)
		case k < 96:
			p.deafen(false)
			p.cut()
		default:
			p.deafen(false)
			if last != nil {
				p.cut()
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err = last.Wait(ctx)
				cancel()
			}
		}
		if err != nil {
			return 0, err
		}
		if w != nil {
			last = w
		}
	}
	return counted, nil
}

func TestConnectSaysWhyItCannot(t *testing.T) {
	for _, url := range []string{"", "http://localhost/ws", "localhost:8080", "ws://", "ws://%zz"} {
		if _, err := topgun.Connect(within(t), url); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
	p := startProxy(t, "")
	_, err := topgun.Connect(within(t), p.url())
	var ce *topgun.ConnectionError
	if !errors.As(err, &ce) || !errors.Is(err, topgun.ErrDisconnected) || ce.Doing != "dial" {
		t.Errorf("got %v", err)
	}
	s := startScript(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go func() {
		s.accept() // and say nothing
		cancel()
	}()
	if _, err := topgun.Connect(ctx, s.url); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	c := connect(t, p.url())
	m := topgun.MapOf[int](c, "m")
	settle(t, m)
	p.lead("")
	p.cut()
	awaitState(t, c, topgun.Disconnected)
	w := must(m.Set("k", 1))(t)
	changes := must(m.Subscribe(background(t)))(t)
	live := must(m.Query(background(t), topgun.Query{}))(t)
	ctx, cancel := context.WithCancel(background(t))
	ended := must(m.Subscribe(ctx))(t)
	cancel()
	waits := make(chan error, 3)
	go func() { waits <- m.Sync(background(t)) }()
	go func() { waits <- c.Flush(background(t)) }()
	go func() { _, err := live.Next(); waits <- err }()
	c.Close()
	c.Close()
	for range 3 {
		if err := <-waits; !errors.Is(err, topgun.ErrClosed) {
			t.Errorf("a wait ends with %v", err)
		}
	}
	if _, err := w.Wait(within(t)); !errors.Is(err, topgun.ErrClosed) {
		t.Errorf("the write ends with %v", err)
	}
	if _, err := changes.Next(); !errors.Is(err, topgun.ErrClosed) {
		t.Errorf("the subscription ends with %v", err)
	}
	if _, err := ended.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("the subscription whose context has ended says %v", err)
	}
	if c.State() != topgun.Closed {
		t.Errorf("state %v", c.State())
	}
	for name, err := range map[string]error{
		"set": second(m.Set("k", 1)), "flush": c.Flush(within(t)), "sync": m.Sync(within(t)), "subscribe": second(m.Subscribe(within(t))),
		"count": topgun.CounterOf(c, "n").Increment(1), "publish": topgun.TopicOf[int](c, "t").Publish(1),
	} {
		if !errors.Is(err, topgun.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
