package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service/auth"
	syncservice "github.com/topgunbuild/topgun-go/internal/service/sync"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// errDisk is what a failing disk says.
var errDisk = errors.New("simulated disk failure")

// server is one incarnation of the node, from a start to a crash.
type server struct {
	sim    *Simulation
	disk   *vfs.MemFS
	store  *failingStore
	log    *log.Log
	node   *app.Node
	actors []actor.Actor

	failSync bool // the next sync fails
	broken   bool // the log has failed and was not recovered yet

	slow int64 // until when the disk does not answer
}

func startServer(s *Simulation, disk *vfs.MemFS, store *memory.Store) (*server, error) {
	srv := &server{sim: s, disk: disk, store: &failingStore{Store: store, random: s.random}}
	fsys := errorfs.Wrap(disk, errorfs.InjectorFunc(srv.inject))
	var err error
	srv.log, err = log.Open(fsys, "log", s.wall, log.Options{
		SegmentBytes: 4 << 10, ZeroAhead: 1 << 10, Random: s.random,
	})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	srv.node, err = app.NewNode(s.ctx, app.World{
		Clock: s.wall, Random: s.random, Log: srv.log, Store: srv.store, Metrics: prometheus.NewRegistry(),
	}, app.NodeOptions{
		ID: "server", Endpoint: "ws://sim/ws",
		Engine: engine.Options{Lanes: 2, OneByOne: true, MemoryBytes: s.memory(), Eviction: records.Policy(s.seed % 3), Lifetimes: records.Lifetimes{
			Tombstones: tombstones * time.Millisecond,
			MaxIdle:    []records.MapSpan{{Map: auth.DeviceMap, Span: devices * time.Millisecond}, {Map: syncservice.CursorMap, Span: devices * time.Millisecond}},
		}},
		DeviceRetention: devices * time.Millisecond,
		Checkpoint:      engine.CheckpointOptions{LogBytes: 8 << 10, SliceRows: 3},
	})
	if err != nil {
		return nil, fmt.Errorf("start the node: %w", err)
	}
	srv.actors = srv.node.Actors()
	return srv, nil
}

// inject fails a sync of the log when one is due.
func (srv *server) inject(op errorfs.Op) error {
	if srv.failSync && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		srv.failSync = false
		return errDisk
	}
	return nil
}

// step lets one actor, or the committer of the log, do some work.
func (srv *server) step(n int) {
	if n < len(srv.actors) {
		srv.actors[n].Step()
		return
	}
	srv.commit()
}

func (srv *server) commit() {
	if srv.sim.clock.millis < srv.slow {
		return
	}
	if srv.broken {
		srv.broken = srv.log.Recover() != nil
		srv.sim.trace("recover broken=%t", srv.broken)
		return
	}
	if _, err := srv.log.Step(); err != nil {
		srv.broken = true
		srv.sim.trace("sync failed")
	}
}

// settle steps everything until nothing is left to do.
func (srv *server) settle() {
	srv.slow = 0
	for idle := 0; idle < 3; {
		idle++
		for _, a := range srv.actors {
			for a.Step() {
				idle = 0
			}
		}
		if srv.broken {
			srv.commit()
			idle = 0
			continue
		}
		if worked, err := srv.log.Step(); err != nil {
			srv.broken = true
			idle = 0
		} else if worked {
			idle = 0
		}
	}
}

// read returns what the server holds for a key.
func (srv *server) read(mapName, key string) (state string, ok bool) {
	done := false
	srv.node.Engine.Get(mapName, key, func(got string, found bool, err error) {
		if err != nil {
			srv.sim.find("read of %s/%s: %v", mapName, key, err)
		}
		state, ok, done = got, found, true
	})
	srv.settle()
	if !done {
		srv.sim.find("read of %s/%s is not answered", mapName, key)
	}
	return state, ok
}

// horizon is the latest horizon of the server's partitions.
func (srv *server) horizon() int64 { return srv.node.Engine.Keeping().Horizon() }

// crash takes the power away: what was not synced is lost, all of it or a part.
func (srv *server) crash() (*vfs.MemFS, *memory.Store) {
	srv.node.Checkpointer.Close()
	return crashed(srv.disk, "log", srv.sim.random), srv.store.Clone()
}
