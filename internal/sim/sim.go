package sim

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// Options are the choices of a simulation. The zero value of every field means
// its default.
type Options struct {
	// Steps is how many actions are taken before everything is healed and
	// compared. Default 3000.
	Steps int

	// Clients is how many clients there are. Default 2.
	Clients int
}

// Result is what a simulation has shown.
type Result struct {
	Seed     uint64
	Findings []string // what must not be; empty is good
	Trace    []byte   // one line an action
	Acked    int      // operations acknowledged
	Crashes  int
}

// Simulation is one run.
type Simulation struct {
	ctx    context.Context
	opt    Options
	seed   uint64
	random worldRandom
	clock  *worldClock

	server  *server
	clients []*client
	crashes int

	log      bytes.Buffer
	findings []string
}

// maxFindings ends a simulation that has found enough.
const maxFindings = 10

// Run simulates one seed. ctx is handed to the server; it does not end the
// simulation.
func Run(ctx context.Context, seed uint64, opt Options) Result {
	if opt.Steps == 0 {
		opt.Steps = 3000
	}
	if opt.Clients == 0 {
		opt.Clients = 2
	}
	s := &Simulation{ctx: ctx, opt: opt, seed: seed, random: newRandom(seed), clock: &worldClock{epoch}}
	s.run()
	acked := 0
	for _, c := range s.clients {
		acked += len(c.acked)
	}
	return Result{Seed: seed, Findings: s.findings, Trace: s.log.Bytes(), Acked: acked, Crashes: s.crashes}
}

func (s *Simulation) run() {
	var err error
	if s.server, err = startServer(s, vfs.NewCrashableMem(), memory.New()); err != nil {
		s.find("start: %v", err)
		return
	}
	for i := range s.opt.Clients {
		s.clients = append(s.clients, newClient(s, i))
	}
	for n := 0; n < s.opt.Steps && len(s.findings) < maxFindings; n++ {
		s.act()
	}
	s.heal()
	if len(s.findings) == 0 {
		s.checkRoots()
		s.checkWinners()
		s.checkWindows()
		s.checkAcked("at the end")
	}
}

// act takes one action.
func (s *Simulation) act() {
	s.clock.millis += int64(s.random.IntN(20))
	switch r := s.random; {
	case r.chance(3):
		s.powerCut()
	case r.chance(4):
		s.server.failSync = true
		s.trace("the next sync fails")
	case r.chance(20):
		s.clock.millis += int64(r.IntN(40_000))
		s.server.node.Sweep()
	case r.chance(450):
		s.server.step(r.IntN(len(s.server.actors) + 1))
	default:
		s.clients[r.IntN(len(s.clients))].act()
	}
}

// powerCut crashes the server and starts it again from what the disk kept.
func (s *Simulation) powerCut() {
	s.crashes++
	s.trace("power cut")
	disk, store := s.server.crash()
	for _, c := range s.clients {
		c.disconnected()
	}
	srv, err := startServer(s, disk, store)
	if err != nil {
		s.find("start after a power cut: %v", err)
		return
	}
	s.server = srv
	s.checkAcked("after a power cut")
}

// heal connects everybody and lets everything arrive, several times over: a
// synchronisation may have to be repeated to see what another client pushed.
func (s *Simulation) heal() {
	s.trace("heal")
	s.server.failSync = false
	for range 4 {
		// Long enough for every clock to be within the bound of the server's.
		s.clock.millis += 4 * 3600_000
		for _, c := range s.clients {
			c.disconnected()
			c.connect()
		}
		for quiet := 0; quiet < 3 && len(s.findings) < maxFindings; quiet++ {
			s.server.settle()
			for _, c := range s.clients {
				if c.exchange() {
					quiet = 0
				}
			}
		}
	}
}

func (s *Simulation) trace(format string, args ...any) {
	fmt.Fprintf(&s.log, "%d ", s.clock.millis-epoch)
	fmt.Fprintf(&s.log, format, args...)
	s.log.WriteByte('\n')
}

// find notes something that must not be.
func (s *Simulation) find(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.findings = append(s.findings, text)
	s.trace("FINDING %s", text)
}
