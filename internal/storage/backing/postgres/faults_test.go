package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
)

func open(t *testing.T, url string, opt postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, backing.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func write(s backing.Store, ctx context.Context, lsn uint64, keys ...string) error { //nolint:revive // a store first, as in a method
	var writes []backing.Write
	for _, key := range keys {
		writes = append(writes, backing.Write{Row: backing.Row{Key: backing.Key{Map: "m", Key: key}, Seq: lsn, State: fmt.Append(nil, lsn)}})
	}
	return s.Apply(ctx, slices.Values(writes), backing.Mark{LSN: lsn})
}

// cutOff ends the session that writes to a schema, as a network would.
func cutOff(t *testing.T, url string) {
	t.Helper()
	n := pgtest.Value[int64](t, url, `select count(pg_terminate_backend(pid)) from pg_locks
		where locktype = 'advisory' and objid = 'topgun_store'::regclass::oid`)
	if n != 1 {
		t.Fatalf("%d sessions held the lock, want 1", n)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	url := pgtest.Schema(t)
	first := open(t, url, postgres.Options{Holder: "the first one"})
	_, err := postgres.Open(t.Context(), url, postgres.Options{LockWait: time.Millisecond})
	if !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), "the first one") {
		t.Errorf("the second: %v, want ErrLocked and the name of the first", err)
	}
	if err := write(first, t.Context(), 1, "a"); err != nil {
		t.Errorf("the first, afterwards: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, url, postgres.Options{Holder: "the second one"})
	if mark, err := second.Mark(t.Context()); err != nil || mark.LSN != 1 {
		t.Errorf("after it has closed: %v, %v", mark, err)
	}
}

// TestASessionThatBrokeIsReplaced: the lock is taken again, and nobody else can
// be in between without being noticed.
func TestASessionThatBrokeIsReplaced(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, url)
	if err := write(s, t.Context(), 2, "b"); !errors.Is(err, backing.ErrIO) {
		t.Errorf("a write on the broken session: %v, want ErrIO", err)
	}
	if err := write(s, t.Context(), 2, "b"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	cutOff(t, url)
	if err := s.Flush(t.Context(), false); !errors.Is(err, backing.ErrIO) {
		t.Errorf("Flush on the broken session: %v, want ErrIO", err)
	}
	if err := s.Flush(t.Context(), false); err != nil {
		t.Errorf("Flush again: %v", err)
	}
	if st := s.Stats(); st.Recoveries != 2 || st.Checkpoints != 2 || st.Failures != 1 {
		t.Errorf("%+v, want two recoveries", st)
	}
}

func TestWhoWasReplacedNeverWritesAgain(t *testing.T) {
	url := pgtest.Schema(t)
	old := open(t, url, postgres.Options{Holder: "the old one", LockWait: 50 * time.Millisecond})
	if err := write(old, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, url)
	fresh := open(t, url, postgres.Options{Holder: "the new one"})
	if err := write(fresh, t.Context(), 2, "b"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the broken session, and one begun anew while the new one is there
		if err := write(old, t.Context(), 3, "c"); err == nil {
			t.Error("the old one has written")
		}
	}
	if err := fresh.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Apply": write(old, t.Context(), 3, "c"),
		"Clear": old.Clear(t.Context(), []backing.Range{{}}, backing.Mark{LSN: 3}),
		"Flush": old.Flush(t.Context(), true),
		"Adopt": old.Adopt(t.Context(), "me"),
	} {
		if !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), "the new one") {
			t.Errorf("%s, after the new one has gone: %v, want ErrLocked that names it", name, err)
		}
	}
	rows, err := backingtest.Collect(t.Context(), old, backing.Range{})
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v, want 2: reading is allowed", len(rows), err)
	}
}

// TestWhoOnlyLookedTakesNothing: a server that opens the database while another is
// cut off, and finds that it is not its own, leaves it to that one.
func TestWhoOnlyLookedTakesNothing(t *testing.T) {
	url := pgtest.Schema(t)
	first := open(t, url, postgres.Options{Holder: "the first one"})
	if err := write(first, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, url)
	visitor := open(t, url, postgres.Options{Holder: "a visitor"})
	if _, err := visitor.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := visitor.Close(); err != nil {
		t.Fatal(err)
	}
	_ = first.Flush(t.Context(), false) // finds the session broken
	if err := write(first, t.Context(), 2, "b"); err != nil {
		t.Errorf("the first, after the visitor has gone: %v", err)
	}
	_, err := postgres.Open(t.Context(), url, postgres.Options{LockWait: time.Millisecond})
	if !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), "the first one") {
		t.Errorf("another: %v, want ErrLocked that names the first again", err)
	}
}

// TestWhatWasSeenHasToHold: a server that was cut off between looking and taking
// does not take what has been written to meanwhile.
func TestWhatWasSeenHasToHold(t *testing.T) {
	url := pgtest.Schema(t)
	first := open(t, url, postgres.Options{Holder: "the first one"})
	if err := write(first, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, url)
	slow := open(t, url, postgres.Options{Holder: "a slow one"})
	cutOff(t, url)
	_ = first.Flush(t.Context(), false) // finds the session broken
	if err := write(first, t.Context(), 2, "b"); err != nil {
		t.Fatal(err)
	}
	cutOff(t, url)
	_ = slow.Adopt(t.Context(), "slow") // finds the session broken
	if err := slow.Adopt(t.Context(), "slow"); !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), "the first one") {
		t.Errorf("Adopt: %v, want ErrLocked that names the first", err)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	_ = first.Flush(t.Context(), false) // finds the session broken
	if err := write(first, t.Context(), 3, "c"); err != nil {
		t.Errorf("the first: %v", err)
	}
}

// TestWhatBelongsToAnotherByNowIsLeftToIt: a server that began while the database
// could not be reached, and finds later that it follows another directory, takes
// nothing from that one, nor does it keep it out.
func TestWhatBelongsToAnotherByNowIsLeftToIt(t *testing.T) {
	url := pgtest.Schema(t)
	owner := open(t, url, postgres.Options{Holder: "the owner"})
	if err := errors.Join(owner.Adopt(t.Context(), "a directory"), write(owner, t.Context(), 1, "a")); err != nil {
		t.Fatal(err)
	}
	for lsn, find := range []func(late *postgres.Store) error{
		func(late *postgres.Store) error { return late.Flush(t.Context(), false) },
		func(late *postgres.Store) error { return write(late, t.Context(), 9, "b") },
	} {
		cutOff(t, url)
		late := open(t, url, postgres.Options{Holder: "a late one"})
		if err := late.As(t.Context(), "another directory"); err != nil {
			t.Fatal(err)
		}
		if err := find(late); !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), `"a directory"`) {
			t.Errorf("the late one: %v, want ErrLocked that names the directory", err)
		}
		_ = owner.Flush(t.Context(), false) // finds the session broken
		if err := write(owner, t.Context(), uint64(lsn+2), "b"); err != nil {
			t.Fatalf("the owner: %v", err)
		}
	}
}

// TestTakenWithoutBeingTold: the database was taken and the answer lost. It is
// not somebody else who has it.
func TestTakenWithoutBeingTold(t *testing.T) {
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	s := open(t, proxy.URL(t, url), postgres.Options{})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select from topgun_store for update`); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() { failed <- write(s, t.Context(), 1, "a") }()
	for pgtest.Value[int64](t, url, `select count(*) from pg_locks, pg_sleep(0.01) where not granted
		and pid = (select pid from pg_locks where locktype = 'advisory' and objid = 'topgun_store'::regclass::oid)`) == 0 {
	}
	proxy.Cut()
	if err := <-failed; !errors.Is(err, backing.ErrIO) {
		t.Errorf("Apply: %v, want ErrIO", err)
	}
	if err := errors.Join(tx.Rollback(t.Context()), conn.Close(t.Context())); err != nil { // and the other end goes on
		t.Fatal(err)
	}
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Errorf("Apply again: %v", err)
	}
	if fence := pgtest.Value[int64](t, url, `select fence from topgun_store`); fence != 1 {
		t.Errorf("the fence is at %d, want 1", fence)
	}
}

// TestALostFenceIsRaisedAgain: a database that has gone back to before it was
// taken has not been taken by somebody else.
func TestALostFenceIsRaisedAgain(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	goBack := func() { pgtest.Exec(t, url, `update topgun_store set fence = 0, serial = 0, lsn = 0`) }
	for name, find := range map[string]func(){
		"on a new session": func() { cutOff(t, url); _ = s.Flush(t.Context(), false) },
		"by a look":        func() { _ = s.Flush(t.Context(), false) },
		"by a transaction": func() { _ = write(s, t.Context(), 2, "b") },
	} {
		goBack()
		rewinds := s.Stats().Rewinds
		find()
		if err := write(s, t.Context(), 2, "b"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := s.Stats().Rewinds; n != rewinds+1 {
			t.Errorf("%s: %d rewinds, want 1", name, n-rewinds)
		}
		if fence := pgtest.Value[int64](t, url, `select fence from topgun_store`); fence != 1 {
			t.Errorf("%s: the fence is at %d, want it raised again", name, fence)
		}
	}
}

// TestTheFenceIsInEveryTransaction: a pooler that hands the session to somebody
// else makes the lock worthless, and the fence still holds.
func TestTheFenceIsInEveryTransaction(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, `update topgun_store set fence = fence + 1, holder = 'somebody else'`)
	if err := write(s, t.Context(), 2, "b"); !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("Apply: %v, want ErrLocked", err)
	}
	if n := pgtest.Value[int64](t, url, `select count(*) from topgun_rows`); n != 1 {
		t.Errorf("%d rows were written, want the one that was allowed", n)
	}
}

func TestADatabaseBelongsToItsOwner(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{})
	if err := s.Adopt(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := write(s, t.Context(), 100, "a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, url, postgres.Options{})
	id, err := s.Identity(t.Context())
	if err != nil || id.Owner != "one" || len(id.Instance) != 36 {
		t.Errorf("%+v, %v, want owner one and an instance", id, err)
	}
	if err := s.As(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if err := write(s, t.Context(), 101, "b"); !errors.Is(err, backing.ErrLocked) {
		t.Errorf("another writes: %v, want ErrLocked", err)
	}
	if err := s.Adopt(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if mark, err := s.Mark(t.Context()); err != nil || mark.LSN != 0 {
		t.Errorf("the mark after the change of owner: %v, %v, want an LSN of 0", mark, err)
	}
	if err := write(s, t.Context(), 7, "b"); err != nil {
		t.Errorf("the new owner writes: %v", err)
	}
}

// TestOpenLater: a database that is away may be opened for later, and is by the
// first call that finds it.
func TestOpenLater(t *testing.T) {
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	proxy.SetDown(true)
	if _, err := postgres.Open(t.Context(), proxy.URL(t, url), postgres.Options{}); !errors.Is(err, backing.ErrIO) {
		t.Errorf("Open: %v, want ErrIO", err)
	}
	wrong := pgtest.WithUser(t, url, "nobody_by_this_name", "x")
	if _, err := postgres.Open(t.Context(), wrong, postgres.Options{Later: true}); !errors.Is(err, backing.ErrIO) {
		t.Errorf("Open of a database that refuses: %v, want that now and not later", err)
	}
	s := open(t, proxy.URL(t, url), postgres.Options{Later: true})
	if err := write(s, t.Context(), 1, "a"); !errors.Is(err, backing.ErrIO) {
		t.Errorf("Apply: %v, want ErrIO", err)
	}
	if _, _, err := s.Load(t.Context(), backing.Key{}); !errors.Is(err, backing.ErrIO) {
		t.Errorf("Load: %v, want ErrIO", err)
	}
	proxy.SetDown(false)
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Errorf("Apply when it is there: %v", err)
	}
}

// TestCutConnections cuts the connection at random moments and compares the
// store with the model: each checkpoint is there as a whole or not at all, and
// the caller who repeats it gets it done.
func TestCutConnections(t *testing.T) {
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	s := open(t, proxy.URL(t, url), postgres.Options{BatchRows: 50, LockWait: 20 * time.Second})
	r := rand.New(rand.NewPCG(backingtest.Seed(t), 4))
	g := &backingtest.Generator{Rand: r, Keys: 400, StateBytes: 100}
	var model backingtest.Model
	cuts := 0
	for range 40 {
		writes, mark := g.Checkpoint(1 + r.IntN(200))
		before := model.Clone()
		model.Apply(writes, mark)
		proxy.CutAfter(r.IntN(60_000))
		for tries := 0; ; tries++ {
			err := s.Apply(t.Context(), slices.Values(writes), mark)
			if err == nil {
				break
			}
			if !errors.Is(err, backing.ErrIO) || tries == 20 {
				t.Fatalf("Apply: %v, want ErrIO, and success in the end", err)
			}
			cuts++
			proxy.CutAfter(-1)
			oneOf(t, s, before, &model)
			proxy.CutAfter(r.IntN(60_000))
		}
	}
	proxy.CutAfter(-1)
	if cuts == 0 {
		t.Error("no connection was cut")
	}
	if err := model.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
}

// oneOf fails the test unless the store holds what one of two models holds.
func oneOf(t *testing.T, s backing.Store, one, other *backingtest.Model) {
	t.Helper()
	var errOne, errOther error
	for range 20 { // a connection of the pool that was cut fails once
		errOne, errOther = one.Check(t.Context(), s), other.Check(t.Context(), s)
		if errOne == nil || errOther == nil {
			return
		}
		if !errors.Is(errOne, backing.ErrIO) && !errors.Is(errOther, backing.ErrIO) {
			break
		}
	}
	t.Fatalf("the store holds neither what it held (%v) nor what it was given (%v)", errOne, errOther)
}

// TestServerKilledUnderLoad kills PostgreSQL while it is written to. What was
// committed is there when it is back.
func TestServerKilledUnderLoad(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, server.URL(), postgres.Options{BatchRows: 100, LockWait: 20 * time.Second})
	r := rand.New(rand.NewPCG(backingtest.Seed(t), 5))
	g := &backingtest.Generator{Rand: r, Keys: 500, StateBytes: 100}
	var model backingtest.Model
	for range 3 {
		killed := make(chan error, 1)
		begin := make(chan bool)
		go func() {
			<-begin
			killed <- server.Kill()
		}()
		for n := 0; ; n++ {
			if n == 20 {
				close(begin)
			}
			writes, mark := g.Checkpoint(200)
			err := s.Apply(t.Context(), slices.Values(writes), mark)
			before := model.Clone()
			model.Apply(writes, mark)
			if err == nil {
				continue
			}
			if !errors.Is(err, backing.ErrIO) {
				t.Fatalf("Apply: %v, want ErrIO", err)
			}
			if err := errors.Join(<-killed, server.Up()); err != nil {
				t.Fatal(err)
			}
			oneOf(t, s, before, &model) // which of them, nobody was told
			if err := s.Apply(t.Context(), slices.Values(writes), mark); err != nil {
				t.Fatalf("the same checkpoint again: %v", err)
			}
			break
		}
	}
	if err := model.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if s.Stats().Recoveries < 3 {
		t.Errorf("%+v, want a recovery for each kill", s.Stats())
	}
}

func TestFormatsAreChecked(t *testing.T) {
	url := pgtest.Schema(t)
	if err := open(t, url, postgres.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, `update topgun_store set format = 99`)
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, backing.ErrFormat) || !strings.Contains(err.Error(), "99") {
		t.Errorf("a later format: %v, want ErrFormat", err)
	}
	pgtest.Exec(t, url, `delete from topgun_store`)
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, backing.ErrFormat) {
		t.Errorf("a store without its row: %v, want ErrFormat", err)
	}
}

// TestARoleNeedsLittle: with tables that are there, no right to make any; without
// them the error says which right is missing.
func TestARoleNeedsLittle(t *testing.T) {
	url := pgtest.Schema(t)
	schema := pgtest.Value[string](t, url, `select current_schema()::text`)
	role := "role_of_" + schema
	pgtest.Exec(t, url, `create role `+role+` login password 'x'`)
	t.Cleanup(func() { pgtest.Exec(t, url, `drop owned by `+role+`; drop role `+role) })
	pgtest.Exec(t, url, `grant usage on schema `+schema+` to `+role)
	weak := pgtest.WithUser(t, url, role, "x")
	if _, err := postgres.Open(t.Context(), weak, postgres.Options{}); !errors.Is(err, backing.ErrIO) || !strings.Contains(err.Error(), "right to create tables") {
		t.Errorf("without tables: %v, want to be told the missing right", err)
	}
	if err := open(t, url, postgres.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, `grant select, insert, update, delete on topgun_store, topgun_maps, topgun_rows to `+role)
	s := open(t, weak, postgres.Options{})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Error(err)
	}
	if err := s.Clear(t.Context(), []backing.Range{{}}, backing.Mark{LSN: 2}); err != nil {
		t.Error(err)
	}
}

// TestCommitsAreDurable whatever the database says when nobody asks.
func TestCommitsAreDurable(t *testing.T) {
	url := pgtest.WithParameter(t, pgtest.Schema(t), "synchronous_commit", "off")
	if got := pgtest.Value[string](t, url, `show synchronous_commit`); got != "off" {
		t.Fatalf("synchronous_commit is %q before", got)
	}
	s := open(t, url, postgres.Options{})
	if got, err := s.Setting(t.Context(), "synchronous_commit"); err != nil || got != "on" {
		t.Errorf("synchronous_commit of the session that writes is %q, %v, want on", got, err)
	}
}

// TestReadingConnectionsAreBounded: one scan takes the one connection, a second
// waits its time.
func TestReadingConnectionsAreBounded(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{PoolSize: 1})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	err := s.Scan(t.Context(), backing.Range{}, func(backing.Row) (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.Mark(ctx)
		return false, err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second reader: %v, want it to wait for the first", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := postgres.Open(t.Context(), "postgres://nowhere", postgres.Options{PoolSize: -1}); !errors.Is(err, backing.ErrInvalid) {
		t.Errorf("Open: %v, want ErrInvalid", err)
	}
	_, err := postgres.Open(t.Context(), "postgres://user:swordfish@[:x/y", postgres.Options{})
	if !errors.Is(err, backing.ErrInvalid) || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("Open: %v, want ErrInvalid without the password", err)
	}
}

// TestANetworkThatSwallowsEverything: every call gives up after its time.
func TestANetworkThatSwallowsEverything(t *testing.T) {
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	s := open(t, proxy.URL(t, url), postgres.Options{Timeout: 200 * time.Millisecond, LockWait: 10 * time.Second})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Mark(t.Context()); err != nil { // so that a connection for reading is there
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Apply": func() error { return write(s, t.Context(), 2, "b") },
		"Clear": func() error { return s.Clear(t.Context(), []backing.Range{{}}, backing.Mark{LSN: 2}) },
		"Flush": func() error { return s.Flush(t.Context(), true) },
		"Mark":  func() error { _, err := s.Mark(t.Context()); return err },
		"Load":  func() error { _, _, err := s.Load(t.Context(), backing.Key{}); return err },
		"Scan":  func() error { _, err := backingtest.Collect(t.Context(), s, backing.Range{}); return err },
		"Maps":  func() error { _, err := s.Maps(t.Context()); return err },
	} {
		proxy.Stall()
		if err := call(); !errors.Is(err, backing.ErrIO) {
			t.Errorf("%s: %v, want ErrIO", name, err)
		}
		proxy.Cut()
		for range 3 {
			if err := s.Flush(t.Context(), true); err == nil {
				break
			}
		}
	}
	if err := write(s, t.Context(), 3, "c"); err != nil {
		t.Errorf("when the network is well again: %v", err)
	}
}

func TestTheFirstSchemaOfTheSearchPath(t *testing.T) {
	first, second := pgtest.Schema(t), pgtest.Schema(t)
	open(t, second, postgres.Options{})
	name := func(url string) string { return pgtest.Value[string](t, url, `select current_schema()::text`) }
	s := open(t, pgtest.WithParameter(t, first, "search_path", name(first)+","+name(second)), postgres.Options{})
	if err := write(s, t.Context(), 1, "a"); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]int64{first: 1, second: 0} {
		if n := pgtest.Value[int64](t, url, `select count(*) from topgun_rows`); n != want {
			t.Errorf("%d rows in %s, want %d", n, name(url), want)
		}
	}
}

func TestASchemaThatIsNotThere(t *testing.T) {
	url := pgtest.WithParameter(t, pgtest.Schema(t), "search_path", "a_schema_by_no_name")
	for _, later := range []bool{false, true} {
		_, err := postgres.Open(t.Context(), url, postgres.Options{Later: later})
		if !errors.Is(err, backing.ErrInvalid) || !strings.Contains(err.Error(), "search_path") {
			t.Errorf("Open: %v, want ErrInvalid that names the search_path", err)
		}
	}
}

// TestADatabaseThatHasGoneBack: transactions that were committed and are not
// there any more are noticed, on the session that there was and on a new one.
func TestADatabaseThatHasGoneBack(t *testing.T) {
	url := pgtest.Schema(t)
	s := open(t, url, postgres.Options{})
	for lsn := range uint64(3) {
		if err := write(s, t.Context(), lsn, "a"); err != nil {
			t.Fatal(err)
		}
	}
	goBack := func() { pgtest.Exec(t, url, `update topgun_store set serial = serial - 1, lsn = lsn - 1`) }
	goBack()
	if err := write(s, t.Context(), 3, "b"); !errors.Is(err, backing.ErrIO) || s.Stats().Rewinds != 1 {
		t.Errorf("Apply: %v, %+v, want ErrIO and a rewind", err, s.Stats())
	}
	if err := write(s, t.Context(), 3, "b"); err != nil {
		t.Errorf("Apply again: %v", err)
	}
	goBack()
	cutOff(t, url)
	_ = s.Flush(t.Context(), false) // finds the session broken
	if err := s.Flush(t.Context(), false); err != nil || s.Stats().Rewinds != 2 {
		t.Errorf("Flush on a new session: %v, %+v, want a second rewind", err, s.Stats())
	}
}
