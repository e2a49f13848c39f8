package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/auth"
	"github.com/topgunbuild/topgun-go/internal/service/maps"
	"github.com/topgunbuild/topgun-go/internal/service/query"
	syncservice "github.com/topgunbuild/topgun-go/internal/service/sync"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
	"github.com/topgunbuild/topgun-go/internal/transport"
	"github.com/topgunbuild/topgun-go/internal/transport/adminapi"
	"github.com/topgunbuild/topgun-go/internal/transport/httpapi"
	"github.com/topgunbuild/topgun-go/internal/transport/ws"
)

// Run is the server. It writes PORT=<number> to stdout once clients can
// connect, and nothing else. When ctx ends it stops accepting, answers what is
// under way, flushes and returns nil.
func Run(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	return run(ctx, cfg, vfs.Default, stdout, stderr)
}

// run is Run over a file system.
func run(ctx context.Context, cfg config.Config, disk vfs.FS, stdout, stderr io.Writer) error {
	logger := newLogger(cfg.Log, stderr)
	for _, w := range cfg.Warnings {
		logger.WarnContext(ctx, "configuration", "finding", w)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	clk := systemClock{}
	syncs := newSyncMetrics(reg)

	if err := refuseHalfRestored(disk, cfg.Storage); err != nil {
		return err
	}
	defer addProcessor()()
	plan := planMemory(cfg, availableMemory("/"))
	var collecting sync.WaitGroup
	collect, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	defer collecting.Wait()
	defer stopCollecting()
	collecting.Go(func() { (&collector{clk, plan.budget}).run(collect) })
	st, err := openStorage(ctx, cfg.Storage, disk, plan.cache, clk, logger, syncs.observe)
	if err != nil {
		return fmt.Errorf("open the storage: %w", err)
	}
	cfg.Storage.DataDir = st.dir
	id, err := nodeID(disk, cfg, systemRandom{})
	if err != nil {
		return errors.Join(fmt.Errorf("read the node id: %w", err), st.close())
	}
	// The port is taken before the state is loaded, so that a mistake in the
	// address is told at once, and clients wait in the queue meanwhile.
	ls, err := transport.Listen(ctx, cfg.Listen.Host, cfg.Listen.Port)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w; stop what listens there, or choose another port with --port or PORT", err)
	}
	if err != nil {
		return errors.Join(err, st.close())
	}
	world := World{Clock: clk, Random: systemRandom{}, Log: st.log, Store: st.store, Metrics: reg}
	// The node's own work outlives ctx: it goes on until the last client has been
	// answered.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	opt := nodeOptions(cfg, plan, id, ls.Port)
	opt.Engine.Gate = st.gate
	opt.IndexRefused = func(d index.Definition, why error) {
		logger.WarnContext(work, "an index of the configuration cannot be made", "index", d.Name(), "error", why)
	}
	node, err := NewNode(work, world, opt)
	if err != nil {
		return errors.Join(err, ls.Close(), st.close())
	}
	debug.FreeOSMemory() // what loading has left behind
	if st.behind != nil {
		registerBehind(reg, st.behind, st.gate)
	}
	s := &server{cfg: cfg, logger: logger, stderr: stderr, clock: clk, registry: reg, storage: st, id: id, node: node, listeners: ls, start: clk.Now()}
	err = s.serve(ctx, work, stopWork, stdout)
	return errors.Join(err, st.close())
}

func nodeOptions(cfg config.Config, plan memoryPlan, id string, port int) NodeOptions {
	host := cfg.Listen.Host
	if host == "" {
		host = "localhost"
	}
	return NodeOptions{
		ID:       id,
		Endpoint: "ws://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/ws",
		Engine: engine.Options{
			MaxLogBytes: plan.maxLog, Lifetimes: lifetimes(cfg.Lifetimes),
			MemoryBytes: plan.records, Eviction: policy(cfg.Memory.Eviction),
		},
		Checkpoint: engine.CheckpointOptions{Every: cfg.Storage.CheckpointInterval, LogBytes: plan.log},
		Maps:       maps.Options{ReportUnreachable: cfg.UnreachableConcern == config.ReportConcern},
		Limits:     service.Limits{KeyBytes: cfg.Limits.KeyBytes, ValueBytes: cfg.Limits.ValueBytes},
		Session: session.Options{
			Wire:         wire.Limits{FrameBytes: cfg.Limits.MessageBytes, KeyBytes: max(cfg.Limits.KeyBytes, 64<<10)},
			OpsPerSecond: cfg.Limits.OpsPerSecond, Burst: cfg.Limits.OpsBurst,
			OutboxBytes: cfg.Limits.OutboxBytes, InFlight: cfg.Limits.FramesInFlight,
			HandshakeTimeout: cfg.Limits.HandshakeTimeout, IdleTimeout: cfg.Limits.IdleTimeout,
		},
		Indexes:         cfg.Queries.Definitions(),
		Query:           query.Options{AutoIndex: cfg.Queries.AutoIndex},
		Tokens:          tokens(cfg.Auth),
		DeviceRetention: cfg.Lifetimes.Devices,
	}
}

func lifetimes(cfg config.Lifetimes) records.Lifetimes {
	l := records.Lifetimes{
		MaxIdle:    []records.MapSpan{{Map: auth.DeviceMap, Span: cfg.Devices}, {Map: syncservice.CursorMap, Span: cfg.Devices}},
		Tombstones: cfg.Tombstones,
	}
	for _, s := range cfg.TTL {
		l.TTL = append(l.TTL, records.MapSpan(s))
	}
	for _, s := range cfg.MaxIdle {
		l.MaxIdle = append(l.MaxIdle, records.MapSpan(s))
	}
	return l
}

func tokens(cfg config.Auth) auth.Tokens {
	if cfg.Off {
		return auth.Tokens{}
	}
	return auth.Tokens{Secret: cfg.JWTSecret.Reveal(), Issuer: cfg.JWTIssuer, Audience: cfg.JWTAudience}
}

// server is a node with its sockets and goroutines.
type server struct {
	cfg       config.Config
	logger    *slog.Logger
	stderr    io.Writer
	clock     systemClock
	registry  *prometheus.Registry
	storage   *storage
	id        string
	node      *Node
	listeners transport.Listeners
	start     time.Time
	state     atomic.Value // string
}

// serve runs everything until ctx ends, in the order in which it can end: first
// the sockets, then the node, then the log.
func (s *server) serve(ctx, work context.Context, stopWork func(), stdout io.Writer) error {
	s.state.Store("starting")
	front, err := s.front()
	if err != nil {
		return errors.Join(err, s.listeners.Close())
	}
	logWork, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()

	var logDone, nodeDone errgroup.Group
	logDone.Go(func() error { return s.storage.run(logWork) })
	nodeDone.Go(func() error { s.node.Run(work); return nil })

	if _, err := fmt.Fprintf(stdout, "PORT=%d\n", s.listeners.Port); err != nil {
		s.logger.WarnContext(ctx, "nobody reads the port", "error", err)
	}
	s.state.Store(httpapi.StateReady)
	s.logger.InfoContext(ctx, "ready", "port", s.listeners.Port, "host", s.cfg.Listen.Host, "storage", string(s.cfg.Storage.Backend))
	s.welcome()
	var stopAt time.Time
	draining := sync.OnceFunc(func() {
		s.state.Store("draining")
		stopAt = s.clock.Now().Add(s.cfg.ShutdownTimeout)
	})
	context.AfterFunc(ctx, draining)

	err = front.Serve(ctx, s.listeners.All...)
	draining() // may be on its way still
	s.passOn(work, stopAt)
	stopWork()
	err = errors.Join(err, nodeDone.Wait())
	stopLog()
	err = errors.Join(err, logDone.Wait())
	s.state.Store("stopped")
	s.logger.InfoContext(context.WithoutCancel(ctx), "stopped", "uptime", s.Uptime())
	return err
}

// front builds what clients connect to.
func (s *server) front() (*transport.Server, error) {
	hosts := transport.NewHosts(s.cfg.Listen.Hosts, s.cfg.Listen.Loopback())
	origins, err := transport.NewOrigins(s.cfg.Listen.Origins)
	if err != nil {
		return nil, err
	}
	sockets, err := ws.New(sessions{s.node.Host}, s.clock, s.logger, ws.NewMetrics(s.registry), ws.Options{
		Hosts: hosts, Origins: origins,
		MaxConnections: s.cfg.Limits.Connections, MaxMessageBytes: s.cfg.Limits.MessageBytes,
	})
	if err != nil {
		return nil, err
	}
	api := httpapi.New(s, s.registry, sockets, systemRandom{}, httpapi.Options{Hosts: hosts, Origins: origins, Files: files(s.cfg.Listen.Board)})
	admin := adminapi.New(s.node.Tokens)
	admin.MountBackup(s.backup, s.clock)
	admin.MountIndexes(s.node.Engine.Indexes)
	admin.MountQueries(s.node.queries)
	admin.MountChanges(newChanges(s.storage.log))
	api.Handle(adminapi.Prefix, admin)
	return transport.NewServer(api, sockets, s.clock, s.logger, transport.ServerOptions{
		DrainTimeout: max(s.cfg.ShutdownTimeout-time.Second, time.Second/2),
	}), nil
}

// State implements httpapi.Health.
func (s *server) State() string {
	state, _ := s.state.Load().(string)
	return state
}

// Problems implements httpapi.Health.
func (s *server) Problems() []string { return s.node.Problems() }

// Connections implements httpapi.Health.
func (s *server) Connections() int { return s.node.Host.Sessions() }

// InFlight implements httpapi.Health.
func (s *server) InFlight() int {
	ops, _ := s.node.Engine.Credit.Used()
	return ops
}

// Uptime implements httpapi.Health.
func (s *server) Uptime() time.Duration { return s.clock.Now().Sub(s.start) }

// sessions fits the session host to the transport.
type sessions struct{ host *session.Host }

// Open implements transport.Sessions.
func (s sessions) Open(_ transport.Peer, notify func()) (transport.Session, error) {
	return s.host.Open(notify), nil
}
