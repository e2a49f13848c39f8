package process

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

var (
	roundsFlag = flag.Int("rounds", 15, "how many times the program is killed under load")
	seedFlag   = flag.Uint64("seed", 0, "seed of the load and of the moments of the kills; 0 draws one")
)

// writersOfLoad is how many clients write at a time.
const writersOfLoad = 5

// load is the data directory, the clients and what they know.
type load struct {
	t       *testing.T
	launch  launch
	dataDir string
	rng     *rand.Rand
	model   *model
	writers []*writer

	checkpoints int
	firstLogs   map[string]bool // names that the oldest file of the log has had
}

// newLoad makes a load on an empty data directory. Checkpoints come as often as
// the configuration permits, so that kills meet them.
func newLoad(t *testing.T) *load {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; go test ./test/process -run %s -seed %d", seed, t.Name(), seed)
	l := &load{
		t: t, dataDir: filepath.Join(t.TempDir(), "data"), model: newModel(),
		rng: rand.New(rand.NewPCG(seed, 0)), firstLogs: map[string]bool{},
	}
	l.launch = launch{args: []string{
		"serve", "--port", "0", "--no-auth", "--data-dir", l.dataDir,
		"--checkpoint-interval", "1s", "--change-log-bytes", "16MiB",
	}}
	for n := range writersOfLoad {
		l.writers = append(l.writers, newWriter(l.model, n, seed))
	}
	return l
}

// verify compares what the server holds with what was told.
func (l *load) verify(port string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if err := l.model.verify(ctx, port); err != nil {
		l.t.Fatal(err)
	}
}

// running are the clients at work.
type running struct {
	load   *load
	cancel context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex
	errs   []error
	seen   int // checkpoints of this process, as last read
}

func (l *load) start(port string) *running {
	ctx, cancel := context.WithCancel(l.t.Context())
	r := &running{load: l, cancel: cancel}
	tell := func(err error) {
		if err != nil {
			r.mu.Lock()
			r.errs = append(r.errs, err)
			r.mu.Unlock()
		}
	}
	for _, w := range l.writers {
		r.all.Go(func() { tell(w.run(ctx, port)) })
	}
	r.all.Go(func() { tell(watch(ctx, port, l.model)) })
	r.all.Go(func() { r.count(ctx, port) })
	return r
}

// count reads the number of checkpoints from time to time while it can.
func (r *running) count(ctx context.Context, port string) {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		n, err := metric(ctx, port, "topgun_checkpoints_total")
		if err != nil {
			return
		}
		r.seen = int(n)
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// ended waits until all clients have noticed that the server is gone.
func (r *running) ended() {
	r.load.t.Helper()
	late := time.AfterFunc(patience, r.cancel)
	r.all.Wait()
	if !late.Stop() {
		r.load.t.Fatal("the clients do not notice that the server is gone")
	}
	r.cancel()
	for _, err := range r.errs {
		r.load.t.Error(err)
	}
	if len(r.errs) > 0 {
		r.load.t.FailNow()
	}
	r.load.checkpoints += r.seen
	names, err := filepath.Glob(filepath.Join(r.load.dataDir, "log", "*"))
	if err != nil || len(names) == 0 {
		r.load.t.Fatalf("the log has no file (%v)", err)
	}
	r.load.firstLogs[names[0]] = true
}

// TestKilledServerKeepsWhatItAcknowledged kills the program at random moments of
// a write load, and sometimes while it starts. What was acknowledged or shown to
// a subscriber before is there after each restart; nothing else is.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	l := newLoad(t)
	rounds := *roundsFlag
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		if l.rng.IntN(4) == 0 {
			l.launch.killStarting(t, time.Duration(l.rng.IntN(60))*time.Millisecond)
		}
		p := l.launch.start(t)
		l.verify(p.Port)
		r := l.start(p.Port)
		<-time.After(time.Duration(20+l.rng.IntN(900)) * time.Millisecond)
		p.kill()
		r.ended()
	}
	p := l.launch.start(t)
	l.verify(p.Port)
	p.stop()
	p = l.launch.start(t)
	l.verify(p.Port)
	p.stop()

	t.Logf("%d operations acknowledged, %d checkpoints, %d times the log was cut", l.model.acked, l.checkpoints, len(l.firstLogs)-1)
	if l.model.acked < 100*rounds {
		t.Errorf("%d operations in %d rounds are no load", l.model.acked, rounds)
	}
	if !testing.Short() && (l.checkpoints == 0 || len(l.firstLogs) < 2) {
		t.Errorf("%d checkpoints were made and the log was cut %d times: the kills met none", l.checkpoints, len(l.firstLogs)-1)
	}
}

// killStarting kills the program some time after it was started, whether it
// serves by then or not.
func (l launch) killStarting(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := l.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(after)
	_ = cmd.Process.Kill() // the only way in which it ends
	_ = cmd.Wait()
}

// metric reads one metric without labels.
func metric(ctx context.Context, port, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (.+)$`).FindSubmatch(body)
	if m == nil {
		return 0, os.ErrNotExist
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
