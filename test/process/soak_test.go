package process

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/topgunbuild/topgun-go/clients/go"
)

var soakFlag = flag.Duration("soak", 0, "how long the soak churns; 0 leaves it out")

// The limits of the soak. They are fixed: a longer run may not take more.
const (
	soakMemory      = 300 << 20 // resident
	soakDisk        = 160 << 20 // the data directory
	soakDescriptors = 200
)

// The load of the soak.
const (
	soakClients = 5
	soakKeys    = 400
	soakKills   = 2 * time.Minute // on average between two kills
	soakPace    = 4 * time.Millisecond
)

// TestSoak runs the program under mixed churn: clients that add, write and remove
// under a few hundred keys, leave and come back, while the program is killed
// every few minutes. It has to stay inside fixed limits of memory, disk and
// descriptors and to end with replicas that are equal to it.
func TestSoak(t *testing.T) {
	if *soakFlag == 0 {
		t.Skip("takes as long as it is told to: make soak T=10m")
	}
	s := newSoak(t)
	deadline := time.Now().Add(*soakFlag)
	var all sync.WaitGroup
	ctx, stop := context.WithDeadline(t.Context(), deadline)
	defer stop()
	for n := range soakClients {
		all.Go(func() { s.churn(ctx, n) })
	}
	next := time.Now().Add(s.until())
	for ctx.Err() == nil {
		s.measure()
		if time.Now().After(next) {
			s.program.kill()
			s.kills++
			s.start()
			next = time.Now().Add(s.until())
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	all.Wait()
	s.settle()
	t.Logf("%v: %d writes, %d refused, %d connections, %d kills; at most %d MiB resident, %d MiB on disk, %d descriptors; at the end %d MiB, %d MiB",
		*soakFlag, s.writes.Load(), s.refused.Load(), s.connects.Load(), s.kills, s.most.memory>>20, s.most.disk>>20, s.most.descriptors,
		s.last.memory>>20, s.last.disk>>20)
}

// soak is the program and what has become of it.
type soak struct {
	t       *testing.T
	dir     string
	rng     *rand.Rand
	program *started
	port    atomic.Value // string
	tokens  [soakClients]string
	seed    uint64

	writes, refused, connects atomic.Int64
	kills                     int
	most, last                usage
}

type usage struct{ memory, disk, descriptors int64 }

func newSoak(t *testing.T) *soak {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	s := &soak{t: t, dir: filepath.Join(t.TempDir(), "data"), rng: rand.New(rand.NewPCG(seed, 1)), seed: seed}
	s.start()
	return s
}

func (s *soak) start() {
	s.t.Helper()
	s.program = launch{args: []string{
		"serve", "--port", "0", "--no-auth", "--data-dir", s.dir, "--checkpoint-interval", "5s",
		"--change-log-bytes", "64MiB", "--tombstone-retention", "60s", "--map-max-idle", "visits=20s",
	}}.start(s.t)
	s.port.Store(s.program.Port)
}

// until is how long the program runs until it is killed next.
func (s *soak) until() time.Duration {
	return soakKills/2 + time.Duration(s.rng.Int64N(int64(soakKills)))
}

// dial reaches the program on the port that it has now.
func (s *soak) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	port, _ := s.port.Load().(string)
	var d net.Dialer
	return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// churn is one device: it connects, works for a while, and goes away.
func (s *soak) churn(ctx context.Context, n int) {
	rng := rand.New(rand.NewPCG(s.seed, uint64(n)+2))
	for ctx.Err() == nil {
		c, err := s.connect(ctx, n)
		if err != nil {
			continue // it is being started
		}
		session, leave := context.WithTimeout(ctx, time.Duration(5+rng.IntN(60))*time.Second)
		s.work(session, c, rng)
		leave()
		if token := c.DeviceToken(); token != "" {
			s.tokens[n] = token
		}
		flush, done := context.WithTimeout(s.t.Context(), 10*time.Second)
		_ = c.Flush(flush) // what is not flushed is lost with this client's memory
		done()
		c.Close()
		pause(ctx, time.Duration(rng.IntN(5))*time.Second)
	}
}

func (s *soak) connect(ctx context.Context, n int) (*client.Client, error) {
	c, err := client.Connect(ctx, "ws://localhost/ws",
		client.WithDialer(s.dial), client.WithDeviceToken(s.tokens[n]), client.WithBackoff(50*time.Millisecond, time.Second),
		client.WithErrorHandler(func(err error) {
			if errors.Is(err, client.ErrRejected) {
				s.refused.Add(1)
			}
		}))
	if err == nil {
		s.connects.Add(1)
	}
	return c, err
}

// work writes to all kinds of maps until ctx ends.
func (s *soak) work(ctx context.Context, c *client.Client, rng *rand.Rand) {
	notes, visits := client.MapOf[string](c, "notes"), client.MapOf[string](c, "visits")
	tags := client.ORMapOf[string](c, "tags")
	hits := client.CounterOf(c, "hits")
	for ctx.Err() == nil {
		key := "key-" + strconv.Itoa(rng.IntN(soakKeys))
		value := strings.Repeat(string(rune('a'+rng.IntN(26))), 20+rng.IntN(200))
		var err error
		switch rng.IntN(9) {
		case 0, 1:
			_, err = notes.Set(key, value)
		case 2:
			_, err = notes.Remove(key)
		case 3:
			_, err = notes.Set(key, value, client.WithTTL(time.Duration(1+rng.IntN(30))*time.Second))
		case 4:
			_, err = visits.Set(key, value)
		case 5, 6:
			_, err = tags.Add(key, value[:20])
		case 7:
			var held []string
			if held, err = tags.Get(key); err == nil {
				for _, v := range held {
					_, _ = tags.Remove(key, v)
				}
			}
		case 8:
			err = hits.Increment(1)
		}
		if err == nil {
			s.writes.Add(1)
		}
		pause(ctx, soakPace)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// measure looks at the program from outside.
func (s *soak) measure() {
	s.t.Helper()
	pid := s.program.Cmd.Process.Pid
	s.last = usage{memory: resident(s.t, pid), disk: diskOf(s.dir), descriptors: descriptors(s.t, pid)}
	s.most.memory = max(s.most.memory, s.last.memory)
	s.most.disk = max(s.most.disk, s.last.disk)
	s.most.descriptors = max(s.most.descriptors, s.last.descriptors)
	if s.last.memory > soakMemory || s.last.disk > soakDisk || s.last.descriptors > soakDescriptors {
		s.t.Fatalf("%d MiB resident, %d MiB on disk, %d descriptors after %d writes: beyond %d MiB, %d MiB, %d",
			s.last.memory>>20, s.last.disk>>20, s.last.descriptors, s.writes.Load(), soakMemory>>20, soakDisk>>20, soakDescriptors)
	}
}

// settle lets two fresh replicas and all devices that come back agree with the
// server, over all maps.
func (s *soak) settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*patience)
	defer cancel()
	for n := range soakClients {
		c, err := s.connect(ctx, n)
		if err != nil {
			s.t.Fatal(err)
		}
		defer c.Close()
		for _, agree := range []func(context.Context) error{
			client.MapOf[string](c, "notes").Sync, client.MapOf[string](c, "visits").Sync, client.ORMapOf[string](c, "tags").Sync,
		} {
			if err := agree(ctx); err != nil {
				s.t.Errorf("device %d does not come to agree with the server: %v", n, err)
			}
		}
	}
	s.measure()
}

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Skipf("the memory of another process is read from /proc: %v", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func descriptors(t *testing.T, pid int) int64 {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(list))
}

// diskOf is what the files of a directory take, in bytes. Files may go while they
// are counted.
func diskOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, gone error) error {
		if gone == nil {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
