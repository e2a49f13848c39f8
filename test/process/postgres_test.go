package process

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// onDatabase starts a server as containers do: with nothing but a database.
func onDatabase(server *pgtest.Server, cache string) launch {
	return launch{
		args: []string{"serve", "--port", "0", "--no-auth", "--checkpoint-interval", "1s", "--change-log-bytes", "16MiB"},
		env:  []string{"STORAGE_BACKEND=postgres", "DATABASE_URL=" + server.URL(), "XDG_CACHE_HOME=" + cache},
	}
}

// TestKilledServerAndDatabase kills the program and PostgreSQL at random moments
// of a write load, with write-through and with write-behind. What was
// acknowledged or shown is there after each restart, and in the end on a machine
// that has nothing but the database.
func TestKilledServerAndDatabase(t *testing.T) {
	t.Parallel() // it waits most of the time
	rounds := max(*roundsFlag/4, 2)
	for name, dataDir := range map[string]bool{"through": false, "behind": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Start(t)
			cache := t.TempDir()
			l := newLoad(t)
			l.launch = onDatabase(server, cache)
			if dataDir {
				l.launch.args = append(l.launch.args, "--data-dir", l.dataDir)
			} else {
				l.dataDir = filepath.Join(cache, "topgun", "*")
			}
			for round := range rounds {
				p := l.launch.start(t)
				l.verify(p.Port)
				r := l.start(p.Port)
				pause := func() { <-time.After(time.Duration(20+l.rng.IntN(700)) * time.Millisecond) }
				pause()
				if round%2 == 0 {
					if err := server.Kill(); err != nil {
						t.Fatal(err)
					}
					pause()
					if err := server.Up(); err != nil {
						t.Fatal(err)
					}
				}
				pause()
				p.kill()
				r.ended()
			}
			p := l.launch.start(t)
			l.verify(p.Port)
			p.stop() // which brings the database up to date

			p = onDatabase(server, t.TempDir()).start(t)
			l.verify(p.Port)
			p.stop()
			t.Logf("%d operations acknowledged, %d checkpoints", l.model.acked, l.checkpoints)
			if l.model.acked < 50*rounds {
				t.Errorf("%d operations in %d rounds are no load", l.model.acked, rounds)
			}
		})
	}
}

// TestMachineIsLost: with write-through everything that was acknowledged is in
// the database when the machine and all its disks are gone in the middle of it.
func TestMachineIsLost(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	written := 0
	for range 4 {
		cache := t.TempDir()
		p := onDatabase(server, cache).start(t)
		c := peer.New(t, p.Port)
		c.Send(&wire.QuerySub{QueryID: "q", MapName: "notes"})
		if got := len(peer.Expect[*wire.QueryResp](c).Results); got < written {
			t.Fatalf("%d keys are there, %d were acknowledged", got, written)
		}
		c.Send(&wire.QueryUnsub{QueryID: "q"})
		for range 15 {
			id := fmt.Sprint(written)
			c.Send(peer.Batch(peer.Put(id, "notes", id, written, hlc.Timestamp{Millis: int64(1000 + written), Node: "test"})))
			if ack := peer.Expect[*wire.OpAck](c); ack.LastID != id || ack.AchievedLevel != wire.Persisted {
				t.Fatalf("%+v, want %s acknowledged as persisted", ack, id)
			}
			written++
		}
		p.kill()
		c.Drop()
		if err := os.RemoveAll(cache); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStopsWithoutItsDatabase: in its time, also while writes wait for the
// database; and it starts again without it.
func TestStopsWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for _, mode := range []string{"behind", "through"} {
		l := onDatabase(server, t.TempDir())
		l.env[1] += "?search_path=" + mode
		pgtest.Exec(t, server.URL(), "create schema "+mode)
		l.args = append(l.args, "--data-dir", filepath.Join(t.TempDir(), "data"), "--postgres-write", mode)
		p := l.start(t)
		c := peer.New(t, p.Port)
		write := func(id string) {
			c.Send(peer.Batch(peer.Put(id, "notes", id, id, hlc.Timestamp{Millis: 1000, Node: "test"})))
		}
		write("1")
		peer.Expect[*wire.OpAck](c)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		write("2")
		if mode == "behind" {
			peer.Expect[*wire.OpAck](c)
		} else {
			c.UntilPong()
		}
		c.Drop()
		p.stop()

		p = l.start(t)
		c = peer.New(t, p.Port)
		c.Send(&wire.QuerySub{QueryID: "q", MapName: "notes"})
		if got := peer.Expect[*wire.QueryResp](c).Results; len(got) != 2 {
			t.Errorf("%s: %d keys are there, want 2", mode, len(got))
		}
		c.Drop()
		p.stop()
		if err := server.Up(); err != nil {
			t.Fatal(err)
		}
	}
}
