package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
	"github.com/topgunbuild/topgun-go/test/peer"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onPostgres is the environment of a server with a database, which is looked at
// often.
func onPostgres(url string, more ...string) []string {
	return append([]string{"STORAGE_BACKEND=postgres", "DATABASE_URL=" + url}, more...)
}

// inDatabase counts the rows of a map of user data.
func inDatabase(t *testing.T, url, mapName string) int64 {
	t.Helper()
	return pgtest.Value[int64](t, url, fmt.Sprintf(
		`select count(*) from topgun_rows r join topgun_maps m on m.id = r.map where m.name = '%s'`, mapName))
}

// put writes n keys and waits for their acknowledgement.
func put(p *peer.Peer, mapName string, from, n int) {
	for i := from; i < from+n; i++ {
		p.Send(peer.Batch(peer.Put(fmt.Sprint(i), mapName, fmt.Sprint("k", i), i, at(int64(1000+i)))))
	}
	for last := fmt.Sprint(from + n - 1); peer.Expect[*wire.OpAck](p).LastID != last; {
	}
}

// refuse starts a server that must not start.
func refuse(t *testing.T, dir string, env []string) (log string, err error) {
	t.Helper()
	environ := append([]string{"TOPGUN_NO_AUTH=1", "TOPGUN_BIND_ADDR=localhost", "PORT=0", "TOPGUN_DATA_DIR=" + dir}, env...)
	cfg, err := config.Load(config.Sources{Environ: environ, ReadFile: func(string) ([]byte, error) { return nil, io.EOF }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var said strings.Builder
	if err := Run(ctx, cfg, io.Discard, &said); err != nil {
		return said.String(), err
	}
	t.Fatal("the server has started")
	return "", nil
}

// TestDatabaseGetsWhatIsWritten: behind, when a checkpoint has been made; and
// what was deleted is a tombstone there as here. A new machine then begins with
// what the database has.
func TestDatabaseGetsWhatIsWritten(t *testing.T) {
	t.Parallel() // it waits for checkpoints most of the time
	url := pgtest.Schema(t)
	first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
	env := onPostgres(url, "TOPGUN_CHECKPOINT_INTERVAL=1s", "TOPGUN_POSTGRES_DELAY=10ms")
	s := startServerIn(t, first, env...)
	p := s.dial()
	put(p, "notes", 0, 50)
	p.Send(peer.Batch(peer.Remove("x", "notes", "k0", at(5000)), peer.Add("y", "tags", "k", "t1", "red", at(5000))))
	peer.Expect[*wire.OpAck](p)
	eventually(t, "51 rows in the database", func() bool { return inDatabase(t, url, "notes")+inDatabase(t, url, "tags") == 51 })
	eventually(t, "the server knows", func() bool { return s.metric("topgun_postgres_rows_total") >= 51 })
	if up, failures := s.metric("topgun_postgres_up"), s.metric("topgun_postgres_failures_total"); up != 1 || failures != 0 {
		t.Errorf("up %v, %v failures", up, failures)
	}
	put(p, "notes", 100, 10)
	want := rows(p, "notes")
	s.stop()
	if n := inDatabase(t, url, "notes"); n != 60 {
		t.Errorf("%d rows in the database after the server has stopped, want 60", n)
	}

	s = startServerIn(t, second, env...)
	p = s.dial()
	if got := rows(p, "notes"); len(got) != 59 || !maps.EqualFunc(got, want, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("a new machine has %d rows %v, want %v", len(got), got, want)
	}
	p.Send(peer.Batch(peer.Put("late", "notes", "k0", "an older edit", at(4000))))
	peer.Expect[*wire.OpAck](p)
	if got := rows(p, "notes"); got["k0"] != nil {
		t.Errorf("what was deleted is back: %v", got["k0"])
	}
	put(p, "notes", 200, 5)
	s.stop()
	if n := inDatabase(t, url, "notes"); n != 65 {
		t.Errorf("%d rows in the database, want 65: it follows the new machine", n)
	}

	// The first machine is out of date now, and must not write over the second.
	_, err := refuse(t, first, env)
	if !errors.Is(err, errForeign) || !strings.Contains(err.Error(), "empty data directory") {
		t.Errorf("the old machine: %v, want a refusal that says what to do", err)
	}
	if n := inDatabase(t, url, "notes"); n != 65 {
		t.Errorf("%d rows in the database, want 65", n)
	}
}

// TestWriteThrough: an acknowledgement means that the database has it.
func TestWriteThrough(t *testing.T) {
	url := pgtest.Schema(t)
	s := startServer(t, onPostgres(url, "TOPGUN_POSTGRES_WRITE=through")...)
	p := s.dial()
	for i := range 20 {
		put(p, "notes", i, 1)
		if n := inDatabase(t, url, "notes"); n != int64(i+1) {
			t.Fatalf("%d rows in the database after %d acknowledgements", n, i+1)
		}
	}
	b := s.bystanders()
	b.unharmed()
}

// TestDatabaseThatIsAway: the node goes on, says that it misses its database,
// and brings it up to date when it is back.
func TestDatabaseThatIsAway(t *testing.T) {
	t.Parallel() // it waits for checkpoints most of the time
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	dir := filepath.Join(t.TempDir(), "data")
	env := onPostgres(proxy.URL(t, url), "TOPGUN_CHECKPOINT_INTERVAL=1s", "TOPGUN_POSTGRES_DELAY=1ms", "TOPGUN_POSTGRES_STAGED_BYTES=1MiB")
	s := startServerIn(t, dir, env...)
	p := s.dial()
	put(p, "notes", 0, 10)
	eventually(t, "rows in the database", func() bool { return inDatabase(t, url, "notes") == 10 })

	proxy.SetDown(true)
	big := strings.Repeat("x", 60_000)
	for i := range 40 { // more than may be staged
		p.Send(peer.Batch(peer.Put(fmt.Sprint(i), "big", fmt.Sprint(i), big, at(1000))))
		peer.Expect[*wire.OpAck](p)
	}
	p.Send(peer.Batch(peer.Remove("x", "notes", "k1", at(9000))))
	peer.Expect[*wire.OpAck](p)
	if got := rows(p, "notes"); len(got) != 9 {
		t.Errorf("%d rows are read, want 9", len(got))
	}
	eventually(t, "the node misses its database", func() bool {
		_, body := s.get("/health")
		return strings.Contains(body, `"degraded":["PostgreSQL takes no writes`) && strings.Contains(body, `"state":"ready"`)
	})
	eventually(t, "staging overflows", func() bool { return s.metric("topgun_postgres_overflows_total") > 0 })
	if s.metric("topgun_postgres_up") != 0 || s.metric("topgun_postgres_behind_seconds") <= 0 {
		t.Error("the metrics do not say that the database is away")
	}
	s.stop()

	// It does not even have to be there at a start.
	s = startServerIn(t, dir, env...)
	p = s.dial()
	put(p, "notes", 100, 5)
	proxy.SetDown(false)
	eventually(t, "the database has everything", func() bool {
		return inDatabase(t, url, "notes") == 15 && inDatabase(t, url, "big") == 40
	})
	eventually(t, "the node is well", func() bool {
		_, body := s.get("/health")
		return !strings.Contains(body, "degraded")
	})
	s.stop()
	sameInNewPlace(t, dir, url)
}

// sameInNewPlace fails the test unless a server that begins from the database
// has the same rows as one that goes on from the directory.
func sameInNewPlace(t *testing.T, dir, url string) {
	t.Helper()
	content := func(s *testServer) string {
		p := s.dial()
		return fmt.Sprint(rows(p, "notes"), rows(p, "big"))
	}
	s := startServerIn(t, dir)
	want := content(s)
	s.stop()
	s = startServer(t, onPostgres(url)...)
	if got := content(s); got != want {
		t.Errorf("the database gives %.300s, the directory %.300s", got, want)
	}
	s.stop()
}

// TestWriteThroughWhileTheDatabaseIsAway: the writer is told how far its write
// has come, and gets the acknowledgement when the database is back.
func TestWriteThroughWhileTheDatabaseIsAway(t *testing.T) {
	url := pgtest.Schema(t)
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	s := startServer(t, onPostgres(proxy.URL(t, url), "TOPGUN_POSTGRES_WRITE=through")...)
	p := s.dial()
	put(p, "notes", 0, 3)
	proxy.SetDown(true)
	write := peer.Batch(peer.Put("late", "notes", "late", 1, at(9000)))
	write.WriteConcern, write.Timeout = wire.Persisted, 200
	p.Send(write)
	e := peer.Expect[*wire.Error](p)
	if details(e)["name"] != "TIMEOUT" || !strings.Contains(e.Message, "on this node's disk") {
		t.Errorf("the writer is told %+v, want a timeout with the level that was reached", e)
	}
	other := s.dial()
	if got := rows(other, "notes"); got["late"] == nil {
		t.Error("the write is not visible although it is on disk")
	}
	quick := peer.Batch(peer.Put("quick", "notes", "quick", 1, at(9000)))
	quick.WriteConcern = wire.Applied
	other.Send(quick)
	if ack := peer.Expect[*wire.OpAck](other); ack.LastID != "quick" || ack.AchievedLevel != wire.Applied {
		t.Errorf("%+v, want a write that asks for less to be acknowledged at once", ack)
	}
	if held := s.metric("topgun_postgres_held_batches"); held != 1 {
		t.Errorf("%v batches are held, want 1", held)
	}
	proxy.SetDown(false)
	if ack := peer.Expect[*wire.OpAck](p); ack.LastID != "late" || ack.AchievedLevel != wire.Persisted {
		t.Errorf("%+v, want the acknowledgement", ack)
	}
	if n := inDatabase(t, url, "notes"); n < 4 {
		t.Errorf("%d rows in the database, want the acknowledged ones", n)
	}
}

// TestMoveToADatabase: a server with data gets a database by configuration.
func TestMoveToADatabase(t *testing.T) {
	t.Parallel() // it waits for checkpoints most of the time
	dir, url := filepath.Join(t.TempDir(), "data"), pgtest.Schema(t)
	s := startServerIn(t, dir)
	put(s.dial(), "notes", 0, 100)
	s.stop()
	s = startServerIn(t, dir, onPostgres(url, "TOPGUN_CHECKPOINT_INTERVAL=1s")...)
	eventually(t, "the database has everything", func() bool { return inDatabase(t, url, "notes") == 100 })
	s.stop()
	sameInNewPlace(t, dir, url)
}

// TestOneServerToADatabase: the second is refused, and told who has it.
func TestOneServerToADatabase(t *testing.T) {
	t.Parallel() // it waits for checkpoints most of the time
	url := pgtest.Schema(t)
	s := startServer(t, onPostgres(url)...)
	log, err := refuse(t, filepath.Join(t.TempDir(), "other"), onPostgres(url))
	host, _ := os.Hostname()
	if !errors.Is(err, backing.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("the server with process id %d on %s", os.Getpid(), host)) {
		t.Errorf("the second server: %v, want ErrLocked that names the first", err)
	}
	if strings.Contains(err.Error()+log, pgtest.Password) {
		t.Errorf("the password is shown: %v %s", err, log)
	}
	put(s.dial(), "notes", 0, 5)
}

// TestDatabaseIsAllThereIs: without a data directory the node keeps its log in
// the user's cache, and any other machine can go on from the database.
func TestDatabaseIsAllThereIs(t *testing.T) {
	url := pgtest.Schema(t)
	here, there := t.TempDir(), t.TempDir()
	onMachine := func(cache string) *testServer {
		t.Setenv("XDG_CACHE_HOME", cache)
		return startServerIn(t, "", onPostgres(url)...)
	}
	s := onMachine(here)
	put(s.dial(), "notes", 0, 10)
	if n := inDatabase(t, url, "notes"); n != 10 {
		t.Errorf("%d rows in the database, want 10", n)
	}
	s.stop()
	s = onMachine(there)
	p := s.dial()
	put(p, "notes", 5, 10)
	s.stop()
	s = onMachine(here) // whose log has been overtaken
	if got := rows(s.dial(), "notes"); len(got) != 15 {
		t.Errorf("%d rows, want 15: what was left in the cache does not count", len(got))
	}
	s.stop()
}

// TestDatabaseThatCannotBeOpened: the error says what is wrong and not the
// password.
func TestDatabaseThatCannotBeOpened(t *testing.T) {
	good := pgtest.Schema(t)
	host := pgtest.Address(t, good)
	for name, c := range map[string]struct{ url, want string }{
		"a wrong password":    {"postgres://postgres:a-wrong-secret@" + host + "/postgres", "password authentication failed"},
		"no such database":    {strings.Replace(good, "/postgres?", "/nowhere?", 1), `database "nowhere" does not exist`},
		"nobody is there":     {"postgres://postgres:a-wrong-secret@127.0.0.1:1/postgres", "connection refused"},
		"an address in words": {"postgres://postgres:a-wrong-secret@[nowhere]:x/postgres", "cannot be read"},
	} {
		log, err := refuse(t, filepath.Join(t.TempDir(), "data"), onPostgres(c.url))
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%s: %v, want %q and the name of the option", name, err, c.want)
		}
		if text := err.Error() + log; strings.Contains(text, "a-wrong-secret") || strings.Contains(text, pgtest.Password) {
			t.Errorf("%s: the password is shown: %s", name, text)
		}
	}
}

// TestDatabaseThatWasNeverThere: a directory that no database has followed is
// not served without it, however often that is tried: what it holds and what
// the database holds could not be brought together afterwards.
func TestDatabaseThatWasNeverThere(t *testing.T) {
	t.Parallel()
	url := pgtest.Schema(t)
	s := startServer(t, onPostgres(url)...)
	put(s.dial(), "notes", 0, 10)
	s.stop()
	proxy := pgtest.NewProxy(t, pgtest.Address(t, url))
	fresh, env := filepath.Join(t.TempDir(), "fresh"), onPostgres(proxy.URL(t, url))
	proxy.SetDown(true)
	for range 2 {
		if _, err := refuse(t, fresh, env); !errors.Is(err, backing.ErrIO) {
			t.Fatalf("without the database: %v, want ErrIO", err)
		}
	}
	proxy.SetDown(false)
	s = startServerIn(t, fresh, env...)
	if got := rows(s.dial(), "notes"); len(got) != 10 {
		t.Errorf("%d rows when the database is there, want the 10 that it has", len(got))
	}
	s.stop()
	proxy.SetDown(true)
	s = startServerIn(t, fresh, env...) // which it follows by now
	s.stop()
}

// TestPostgresOptionsHaveTheirEffect: how many rows go at a time, and when.
func TestPostgresOptionsHaveTheirEffect(t *testing.T) {
	t.Parallel() // it waits for checkpoints most of the time
	url := pgtest.Schema(t)
	s := startServer(t, onPostgres(url,
		"TOPGUN_CHECKPOINT_INTERVAL=1s", "TOPGUN_POSTGRES_DELAY=1h", "TOPGUN_POSTGRES_BATCH_ROWS=10")...)
	put(s.dial(), "notes", 0, 50)
	eventually(t, "a checkpoint is staged", func() bool { return s.metric("topgun_postgres_staged_rows") == 50 })
	if n := inDatabase(t, url, "notes"); n != 0 {
		t.Errorf("%d rows in the database before the delay has passed", n)
	}
	s.stop()
	if n, writes := inDatabase(t, url, "notes"), pgtest.Value[int64](t, url, `select count(distinct xmin::text) from topgun_rows`); n != 50 || writes != 5 {
		t.Errorf("%d rows in %d transactions, want 50 in 5", n, writes)
	}
}
