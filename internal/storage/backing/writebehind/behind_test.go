package writebehind_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/writebehind"
)

func generator(t *testing.T) *backingtest.Generator {
	t.Helper()
	return &backingtest.Generator{Rand: rand.New(rand.NewPCG(backingtest.Seed(t), 2)), Keys: 300, StateBytes: 60}
}

func apply(t *testing.T, s backing.Store, model *backingtest.Model, writes []backing.Write, mark backing.Mark) {
	t.Helper()
	if err := s.Apply(t.Context(), slices.Values(writes), mark); err != nil {
		t.Fatal(err)
	}
	model.Apply(writes, mark)
}

// recorder is a far store that remembers what it is given, and fails when told.
type recorder struct {
	*memory.Store

	pause func() // before each call, so that others have a chance meanwhile

	mu    sync.Mutex
	calls []call
	fail  func() error
	lost  uint64 // times that commits were lost
	after func() // each call that succeeded
}

type call struct {
	at   time.Time
	rows []backing.Write
	mark backing.Mark
	err  error
}

// Apply implements backing.Store.
func (r *recorder) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	if r.pause != nil {
		r.pause()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := call{at: time.Now(), rows: slices.Collect(rows), mark: mark}
	if r.fail != nil {
		c.err = r.fail()
	}
	if c.err == nil {
		c.err = r.Store.Apply(ctx, slices.Values(c.rows), mark)
	}
	r.calls = append(r.calls, c)
	if c.err == nil && r.after != nil {
		r.after()
	}
	return c.err
}

// Scan implements backing.Store.
func (r *recorder) Scan(ctx context.Context, in backing.Range, fn func(backing.Row) (bool, error)) error {
	if r.pause != nil {
		r.pause()
	}
	return r.now().Scan(ctx, in, fn)
}

// Mark implements backing.Store.
func (r *recorder) Mark(ctx context.Context) (backing.Mark, error) { return r.now().Mark(ctx) }

// Flush implements backing.Store.
func (r *recorder) Flush(ctx context.Context, hard bool) error { return r.now().Flush(ctx, hard) }

// now is the store that has not been replaced.
func (r *recorder) now() *memory.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Store
}

// Stats implements backing.Store.
func (r *recorder) Stats() backing.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return backing.Stats{Rewinds: r.lost}
}

func (r *recorder) taken() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

func (r *recorder) setFail(fail func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

// simulate runs a test in simulated time with a store over two memories.
func simulate(t *testing.T, opt writebehind.Options, test func(t *testing.T, s *writebehind.Store, far *recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		far := &recorder{Store: memory.New()}
		opt.Clock = app.SystemClock()
		s, err := writebehind.New(t.Context(), memory.New(), far, opt)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s, far)
		if err := s.Close(); err != nil && !errors.Is(err, backing.ErrClosed) {
			t.Error(err)
		}
	})
}

func put(key string, seq uint64) backing.Write {
	return backing.Write{Row: backing.Row{
		Key: backing.Key{Map: "m", Key: key}, Kind: 1, Seq: seq, State: fmt.Append(nil, key, seq),
	}}
}

func write(t *testing.T, s backing.Store, lsn uint64, writes ...backing.Write) {
	t.Helper()
	if err := s.Apply(t.Context(), slices.Values(writes), backing.Mark{LSN: lsn}); err != nil {
		t.Fatal(err)
	}
}

func TestStatesOfAKeyGoOnOnceADelay(t *testing.T) {
	simulate(t, writebehind.Options{Delay: time.Second}, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		synctest.Wait()
		start := time.Now()
		for i := uint64(1); i <= 5; i++ {
			write(t, s, i, put("a", i), put("b"+fmt.Sprint(i), i))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if calls := far.taken(); len(calls) > 0 {
			t.Errorf("%d calls before the delay is over", len(calls))
		}
		c := s.Counters()
		if c.StagedRows != 6 || c.Coalesced != 4 || c.Behind != 500*time.Millisecond {
			t.Errorf("%+v, want 6 rows staged, 4 coalesced, half a second behind", c)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		calls := far.taken()
		if len(calls) != 1 || calls[0].at.Sub(start) != time.Second || calls[0].mark.LSN != 5 || len(calls[0].rows) != 6 || calls[0].rows[0].Seq != 5 {
			t.Errorf("far got %+v, want the 6 last states, one second after the first", calls)
		}
		if c := s.Counters(); c.StagedRows != 0 || c.Rows != 6 || c.Batches != 1 || c.Behind != 0 {
			t.Errorf("%+v, want 6 rows in one batch and nothing left", c)
		}
	})
}

func TestBatchesAreBoundedAndTheMarkComesLast(t *testing.T) {
	simulate(t, writebehind.Options{BatchRows: 4}, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		var writes []backing.Write
		for i := range 10 {
			writes = append(writes, put(fmt.Sprintf("k%d", i), 1))
		}
		write(t, s, 9, writes...)
		synctest.Wait()
		var sizes []int
		var marks []uint64
		for _, c := range far.taken() {
			sizes, marks = append(sizes, len(c.rows)), append(marks, c.mark.LSN)
		}
		if !slices.Equal(sizes, []int{4, 4, 2}) || !slices.Equal(marks, []uint64{0, 0, 9}) {
			t.Errorf("batches of %v rows with marks %v, want 4, 4 and 2 with the mark last", sizes, marks)
		}
	})
}

func TestFailuresAreTriedAgainMoreAndMoreSlowly(t *testing.T) {
	opt := writebehind.Options{RetryMin: 100 * time.Millisecond, RetryMax: time.Second, LookEvery: time.Hour}
	simulate(t, opt, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		synctest.Wait()
		away := fmt.Errorf("gone: %w", backing.ErrIO)
		far.setFail(func() error { return away })
		write(t, s, 1, put("a", 1), put("b", 1))
		for i := range uint64(40) {
			time.Sleep(90 * time.Millisecond)
			write(t, s, 2+i, put("a", 2+i)) // what comes meanwhile does not make it hurry
		}
		if c := s.Counters(); !errors.Is(c.Err, backing.ErrIO) || c.StagedRows != 2 {
			t.Errorf("%+v, want two rows staged and the error", c)
		}
		var pauses []time.Duration
		calls := far.taken()
		for i, c := range calls[1:] {
			pauses = append(pauses, c.at.Sub(calls[i].at))
		}
		want := []time.Duration{100, 200, 400, 800, 1000, 1000}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		far.setFail(nil)
		if err := s.Flush(t.Context(), true); err != nil { // which ends the pause
			t.Fatal(err)
		}
		calls = far.taken()
		if len(calls) != 1 || len(calls[0].rows) != 2 || calls[0].rows[0].Seq != 41 {
			t.Errorf("after it came back it got %+v, want the last states at once", calls)
		}
		if c := s.Counters(); c.Err != nil || c.Failures != 7 {
			t.Errorf("%+v, want 7 failures and no error left", c)
		}
	})
}

func TestAnIdleFarStoreIsLookedAfter(t *testing.T) {
	simulate(t, writebehind.Options{LookEvery: time.Second}, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		synctest.Wait()
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1001 * time.Millisecond)
		synctest.Wait()
		if c := s.Counters(); !errors.Is(c.Err, backing.ErrClosed) {
			t.Errorf("%+v, want the error of a far store that is gone", c)
		}
	})
}

// TestAFarStoreThatIsAwayFromTheBeginningIsBehind: with what, nobody knows yet.
func TestAFarStoreThatIsAwayFromTheBeginningIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memory.New(), memory.New()
		write(t, near, 1, put("a", 1))
		away := &recorder{Store: memory.New()}
		if err := away.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := writebehind.New(t.Context(), near, away, writebehind.Options{Clock: app.SystemClock()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if c := s.Counters(); c.Err == nil || c.Behind != time.Minute {
			t.Errorf("%+v, want it to be behind since the beginning", c)
		}
		away.mu.Lock()
		away.Store = far
		away.mu.Unlock()
		if err := s.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if c := s.Counters(); c.Err != nil || c.Behind != 0 || c.Rows != 1 {
			t.Errorf("%+v, want it to have caught up", c)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestAnIdleFarStoreIsLookedAfterBetweenCheckpoints: a checkpoint with nothing
// in it does not pass for a far store that is there.
func TestAnIdleFarStoreIsLookedAfterBetweenCheckpoints(t *testing.T) {
	simulate(t, writebehind.Options{LookEvery: 5 * time.Second}, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		write(t, s, 1, put("a", 1))
		synctest.Wait()
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Second)
			write(t, s, 1)
		}
		synctest.Wait()
		if c := s.Counters(); !errors.Is(c.Err, backing.ErrClosed) {
			t.Errorf("%+v, want the error of a far store that is gone", c)
		}
	})
}

// TestWhyTheFarStoreTakesNothingIsSaid: when it begins, when it changes, and
// from time to time, but not at every attempt.
func TestWhyTheFarStoreTakesNothingIsSaid(t *testing.T) {
	var said strings.Builder
	opt := writebehind.Options{LookEvery: time.Second, RetryMax: time.Second, Logger: slog.New(slog.NewTextHandler(&said, nil))}
	simulate(t, opt, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		synctest.Wait()
		count := func(reason string) int { return strings.Count(said.String(), reason) }
		far.setFail(func() error { return fmt.Errorf("gone: %w", backing.ErrIO) })
		write(t, s, 1, put("a", 1))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := count("gone"); n != 1 {
			t.Errorf("said %d times in half a minute that it is gone, want once", n)
		}
		far.setFail(func() error { return fmt.Errorf("taken over: %w", backing.ErrLocked) })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := count("taken over"); n != 1 {
			t.Errorf("said %d times that it was taken over, want once\n%s", n, &said)
		}
		far.setFail(func() error { return fmt.Errorf("another has it: %w", backing.ErrLocked) })
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if n := count("another has it"); n != 1 {
			t.Errorf("said %d times in a minute what is new of the same kind, want once", n)
		}
	})
}

func TestFlushWaitsForTheFarStore(t *testing.T) {
	simulate(t, writebehind.Options{Delay: time.Hour, LookEvery: 24 * time.Hour}, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		write(t, s, 1, put("a", 1))
		if err := s.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if calls := far.taken(); len(calls) != 1 {
			t.Errorf("%d calls after a soft flush, want 1", len(calls))
		}
		write(t, s, 2, put("a", 2))
		if err := s.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if calls := far.taken(); len(calls) != 1 || calls[0].mark.LSN != 2 {
			t.Errorf("%+v after a hard flush, want the second write", calls)
		}
		far.setFail(func() error { return backing.ErrIO })
		write(t, s, 3, put("a", 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Flush(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush of a far store that is away: %v, want the context's error", err)
		}
		done := make(chan error)
		go func() { done <- s.Flush(t.Context(), true) }()
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, backing.ErrClosed) {
			t.Errorf("Flush during Close: %v, want ErrClosed", err)
		}
	})
}

func TestStagingIsBounded(t *testing.T) {
	opt := writebehind.Options{StagedBytes: 4000, BatchRows: 7, RetryMax: time.Second}
	simulate(t, opt, func(t *testing.T, s *writebehind.Store, far *recorder) {
		t.Helper()
		synctest.Wait()
		g, model := generator(t), &backingtest.Model{}
		for range 20 { // some of which is removed later
			writes, mark := g.Checkpoint(20)
			apply(t, s, model, writes, mark)
		}
		if err := s.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		far.setFail(func() error { return backing.ErrIO })
		for range 50 {
			writes, mark := g.Checkpoint(20)
			apply(t, s, model, writes, mark)
			if c := s.Counters(); c.StagedBytes > opt.StagedBytes {
				t.Fatalf("%d bytes are staged, at most %d may be", c.StagedBytes, opt.StagedBytes)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if c := s.Counters(); c.Overflows == 0 || !c.CatchingUp {
			t.Errorf("%+v, want overflows", c)
		}
		far.setFail(nil)
		if err := s.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := model.Check(t.Context(), far); err != nil {
			t.Error(err)
		}
		if c := s.Counters(); c.CatchUps == 0 || c.CatchingUp || c.Err != nil {
			t.Errorf("%+v, want a catch-up that is over", c)
		}
	})
}

func TestAFarStoreThatIsAheadIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := memory.New()
		write(t, far, 100, put("theirs", 1))
		s, err := writebehind.New(t.Context(), memory.New(), far, writebehind.Options{Clock: app.SystemClock()})
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, 1, put("ours", 1))
		time.Sleep(time.Minute)
		if c := s.Counters(); !errors.Is(c.Err, backing.ErrStale) || c.Rows > 0 {
			t.Errorf("%+v, want ErrStale and nothing written", c)
		}
		if _, found, err := far.Load(t.Context(), put("theirs", 0).Key); !found || err != nil {
			t.Errorf("what was there: %t, %v, want it untouched", found, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := writebehind.New(t.Context(), memory.New(), memory.New(), writebehind.Options{Delay: -1, BatchRows: -1})
	if !errors.Is(err, backing.ErrInvalid) {
		t.Errorf("New: %v, want ErrInvalid", err)
	}
}

// TestFarNeverClaimsWhatIsNotThere runs random histories in which the far store
// fails at random, staging overflows and the server is killed, and looks at the
// far store after each of its checkpoints: each key has to be in a state that it
// had near at or after the far mark.
func TestFarNeverClaimsWhatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(backingtest.Seed(t), 3))
		for range 20 {
			chaos(t, r)
		}
	})
}

func chaos(t *testing.T, r *rand.Rand) {
	t.Helper()
	g := &backingtest.Generator{Rand: r, Keys: 60, StateBytes: 20}
	h := &history{}
	var model backingtest.Model
	h.add(&model)
	near, far := memory.New(), memory.New()
	for range 1 + r.IntN(4) {
		near = near.Clone()
		far = life(t, r, g, h, &model, near, far.Clone())
		if t.Failed() {
			return
		}
	}
}

// unsteady is a far store that is slow, fails, and now and then loses its last
// commits, as a database does that is replaced by a replica.
func unsteady(t *testing.T, r *rand.Rand, h *history, far *memory.Store) *recorder {
	t.Helper()
	// Far draws on a goroutine of its own.
	fate, slow := rand.New(rand.NewPCG(r.Uint64(), 0)), rand.New(rand.NewPCG(r.Uint64(), 1))
	rec, replica := &recorder{Store: far}, far.Clone()
	rec.fail = func() error {
		switch fate.IntN(12) {
		case 0, 1, 2:
			return backing.ErrIO
		case 3:
			replica = rec.Store.Clone()
		case 4:
			rec.Store = replica.Clone()
			rec.lost++
			return backing.ErrIO
		}
		return nil
	}
	rec.pause = func() { time.Sleep(time.Duration(slow.IntN(40)) * time.Millisecond) }
	rec.after = func() { h.check(t, rec.Store) }
	return rec
}

// life is one life of the server. It returns what far holds at its end.
func life(
	t *testing.T, r *rand.Rand, g *backingtest.Generator, h *history, model *backingtest.Model, near, far *memory.Store,
) *memory.Store {
	t.Helper()
	rec := unsteady(t, r, h, far)
	s, err := writebehind.New(t.Context(), near, rec, writebehind.Options{
		Clock: app.SystemClock(), Delay: time.Duration(r.IntN(3)) * 50 * time.Millisecond,
		BatchRows: 1 + r.IntN(30), StagedBytes: 1000 + r.IntN(20_000), RetryMax: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range r.IntN(30) {
		writes, mark := g.Checkpoint(1 + r.IntN(30))
		model.Apply(writes, mark)
		rec.mu.Lock() // which far holds while it looks into the history
		h.add(model)
		rec.mu.Unlock()
		if err := s.Apply(t.Context(), slices.Values(writes), mark); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		if err := s.Flush(t.Context(), true); err != nil {
			t.Error(err)
		}
		if err := model.Check(t.Context(), rec.now()); err != nil {
			t.Errorf("after a hard flush: %v", err)
		}
	}
	return rec.now()
}

// history is what near held after each of its checkpoints.
type history struct{ models []*backingtest.Model }

func (h *history) add(m *backingtest.Model) { h.models = append(h.models, m.Clone()) }

// check looks for each key's far state among its near states from the mark on.
func (h *history) check(t *testing.T, far backing.Store) {
	t.Helper()
	mark, err := far.Mark(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	rows, err := backingtest.Collect(t.Context(), far, backing.Range{})
	if err != nil {
		t.Error(err)
		return
	}
	from := 0
	for i, m := range h.models {
		if m.Mark().Equal(mark) {
			from = i
		}
	}
	states := map[backing.Key]map[string]bool{} // "" is absence
	for _, m := range h.models[from:] {
		for _, row := range m.Rows(backing.Range{}) {
			states[row.Key] = map[string]bool{}
		}
	}
	for _, m := range h.models[from:] {
		in := contents(m.Rows(backing.Range{}))
		for key := range states {
			states[key][in[key]] = true
		}
	}
	got := contents(rows)
	for _, row := range rows {
		if states[row.Key] == nil {
			t.Errorf("mark %d: far holds %v, which near has not held since", mark.LSN, row.Key)
		}
	}
	for key, allowed := range states {
		if !allowed[got[key]] {
			t.Errorf("mark %d: far holds %v as %q, near has held %v since", mark.LSN, key, got[key], allowed)
		}
	}
}

func contents(rows []backing.Row) map[backing.Key]string {
	in := map[backing.Key]string{}
	for _, row := range rows {
		in[row.Key] = fmt.Sprint(row.Seq, string(row.State))
	}
	return in
}
