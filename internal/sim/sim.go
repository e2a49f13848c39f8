package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// Options are the choices of a simulation. The zero value of every field means
// its default.
type Options struct {
	// Steps is how many actions are taken before everything is healed and
	// compared. Default 3000.
	Steps int

	// Clients is how many clients there are. Default 3.
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
	wall   *serverClock

	server    *server
	clients   []*client
	lingering []*link // that the server does not know to be broken
	written   []*op   // everything that clients have written
	counted   tally   // what the server has shown of the counter
	crashes   int

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
		opt.Clients = 3
	}
	s := &Simulation{ctx: ctx, opt: opt, seed: seed, random: newRandom(seed), clock: &worldClock{epoch}, counted: tally{}}
	s.wall = &serverClock{worldClock: s.clock}
	s.run()
	acked := 0
	for _, c := range s.clients {
		acked += len(c.acked)
	}
	s.server.node.Checkpointer.Close()
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
		s.checkCounters()
		s.checkWinners()
		s.checkWindows()
		s.checkAcked("at the end")
		s.checkDeletes("at the end")
	}
	if len(s.findings) == 0 {
		s.rest()
		s.checkRoots()
		s.checkBounded()
	}
}

// The lifetimes of the simulation, in milliseconds, and the limits of its faults.
const (
	tombstones = 900_000
	devices    = 3600_000

	maxSkew = 25_000 // of the server's clock
	lingers = 15_000 // how long a broken connection may go unnoticed
)

// memory is the server's budget for records: in every second simulation it has
// room for a few only.
func (s *Simulation) memory() int {
	if s.seed%2 == 0 {
		return 4 << 10
	}
	return 0
}

// act takes one action.
func (s *Simulation) act() {
	s.clock.millis += int64(s.random.IntN(20))
	switch r := s.random; {
	case r.chance(13):
		s.fault()
	case r.chance(20):
		s.pass(int64(r.IntN(40_000)))
	case r.chance(2):
		s.trace("nothing happens for long")
		s.pass(int64(r.IntN(2 * tombstones)))
	case r.chance(450):
		s.server.step(r.IntN(len(s.server.actors) + 1))
	case r.chance(50):
		s.linger()
	default:
		s.clients[r.IntN(len(s.clients))].act()
	}
}

// fault is something that machines do.
func (s *Simulation) fault() {
	switch r := s.random; r.IntN(16) {
	case 0, 1, 2:
		s.powerCut()
	case 3, 4, 5:
		s.server.slow = s.clock.millis + int64(r.IntN(4000))
		s.trace("the disk is slow")
	case 6, 7, 8:
		s.wall.skew = int64(r.IntN(2*maxSkew)) - maxSkew
		s.trace("the server's clock is wrong by %d", s.wall.skew)
	case 9, 10, 11:
		s.server.store.fail = true
		s.trace("the next checkpoint fails")
	default:
		s.server.failSync = true
		s.trace("the next sync fails")
	}
}

// pass lets time pass.
func (s *Simulation) pass(millis int64) {
	s.clock.millis += millis
	s.server.node.Sweep()
}

// linger lets the server go on with a connection that is broken, or notice it.
func (s *Simulation) linger() {
	if len(s.lingering) == 0 {
		return
	}
	l := s.lingering[s.random.IntN(len(s.lingering))]
	if l.until > s.clock.millis {
		l.arrive()
		l.pump()
		return
	}
	l.session.Closed()
	s.lingering = slices.DeleteFunc(s.lingering, func(o *link) bool { return o == l })
}

// powerCut crashes the server and starts it again from what the disk kept.
func (s *Simulation) powerCut() {
	s.crashes++
	s.trace("power cut, the log ends at %d", s.server.log.End())
	disk, store := s.server.crash()
	for _, c := range s.clients {
		c.disconnected()
	}
	s.lingering = nil // what was sent to the server before it fell is lost
	srv, err := startServer(s, disk, store)
	if err != nil {
		s.find("start after a power cut: %v", err)
		return
	}
	s.server = srv
	s.checkAcked("after a power cut")
	s.checkDeletes("after a power cut")
}

// heal connects everybody and lets everything arrive, several times over: a
// synchronisation may have to be repeated to see what another client pushed.
func (s *Simulation) heal() {
	s.trace("heal")
	s.server.failSync, s.server.store.fail = false, false
	s.wall.skew = 0
	for _, l := range s.lingering {
		l.session.Closed()
	}
	s.lingering = nil
	leap := int64(30_000)
	for _, c := range s.clients {
		if c.doubtful() {
			leap = 4 * 3600_000 // until every clock is within the bound of the server's
		}
	}
	for range 4 {
		s.pass(leap)
		s.meet()
	}
}

// meet lets everybody come anew and everything arrive.
func (s *Simulation) meet() {
	s.server.settle()
	for _, c := range s.clients {
		if c.link != nil {
			c.link.session.Closed()
		}
		c.link, c.ready, c.query = nil, false, nil
		c.connect()
	}
	s.exchange()
}

// exchange lets everything arrive.
func (s *Simulation) exchange() {
	for quiet := 0; quiet < 3 && len(s.findings) < maxFindings; quiet++ {
		s.server.settle()
		for _, c := range s.clients {
			if c.exchange() {
				quiet = 0
			}
		}
	}
}

// rest lets everything end and be forgotten that may.
func (s *Simulation) rest() {
	s.trace("rest")
	for range 3 {
		s.pass(2 * tombstones)
		s.server.settle()
		s.pass(1000)
		s.meet()
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
