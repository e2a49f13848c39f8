package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/absent"
	"github.com/topgunbuild/topgun-go/internal/service/auth"
	"github.com/topgunbuild/topgun-go/internal/service/counter"
	"github.com/topgunbuild/topgun-go/internal/service/maps"
	"github.com/topgunbuild/topgun-go/internal/service/members"
	"github.com/topgunbuild/topgun-go/internal/service/query"
	syncservice "github.com/topgunbuild/topgun-go/internal/service/sync"
	"github.com/topgunbuild/topgun-go/internal/service/topic"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// World is what a node gets from outside.
type World struct {
	Clock   clock.Clock
	Random  clock.Random
	Log     engine.Log
	Store   backing.Store
	Metrics prometheus.Registerer
}

// NodeOptions are the choices of a node. The zero value of every field means
// its default, except where it says otherwise.
type NodeOptions struct {
	// ID names the node in timestamps and in the partition map. Required.
	ID string

	// Endpoint is the WebSocket URL of the node as clients dial it.
	Endpoint string

	// Indexes are made unless they are there; IndexRefused, which must be there if
	// they are, is told of those that cannot be.
	Indexes      []index.Definition
	IndexRefused func(d index.Definition, why error)

	Engine     engine.Options
	Checkpoint engine.CheckpointOptions
	Query      query.Options
	Session    session.Options
	Limits     service.Limits
	Maps       maps.Options
	Tokens     auth.Tokens

	// DeviceRetention is how long a device that stays away is remembered; at least
	// as long as tombstones. Default 90 days.
	DeviceRetention time.Duration
}

// Node is a server without files, sockets and goroutines of its own.
type Node struct {
	Engine       *engine.Engine
	Checkpointer *engine.Checkpointer
	Host         *session.Host
	Tokens       *auth.Service

	clock    clock.Clock
	log      engine.Log
	feed     *feed.Feed
	maps     *maps.Service
	syncs    *syncservice.Service
	queries  *query.Service
	counters *counter.Service
}

// NewNode loads the durable state and connects the parts. ctx ends the work
// that the node does for itself.
func NewNode(ctx context.Context, w World, opt NodeOptions) (*Node, error) {
	n := &Node{clock: w.Clock, log: w.Log, feed: &feed.Feed{}}
	var err error
	if n.Engine, err = engine.Open(ctx, opt.ID, w.Clock, w.Log, w.Store, n.feed, opt.Engine); err != nil {
		return nil, fmt.Errorf("load the state of the node: %w", err)
	}
	for _, l := range n.Engine.Actors() {
		w.Log.Subscribe(l.Bell().Ring)
	}
	opt.Checkpoint.OnSlice = sliceMetrics(w.Metrics)
	n.Checkpointer = engine.NewCheckpointer(ctx, n.Engine, w.Clock, opt.Checkpoint)

	if n.Tokens, err = auth.New(n.Engine, w.Clock, w.Random, opt.Tokens); err != nil {
		return nil, err
	}
	n.queries = query.New(n.Engine, n.feed, w.Clock, w.Metrics, opt.Query)
	n.counters = counter.New(n.Engine, n.feed, w.Metrics)
	if n.syncs, err = syncservice.New(ctx, n.Engine, n.queries, opt.Limits, opt.DeviceRetention); err != nil {
		return nil, err
	}
	n.maps = maps.New(n.Engine, w.Clock, w.Metrics, opt.Limits, n.syncs, opt.Maps)

	reg := &service.Registry{}
	reg.Add(n.maps)
	reg.Add(n.queries)
	reg.Add(n.syncs)
	reg.Add(n.counters)
	reg.Add(topic.New(w.Clock, w.Metrics))
	reg.Add(members.New(w.Clock, opt.ID, opt.Endpoint))
	reg.Add(absent.Service{})
	n.Host = session.NewHost(w.Clock, n.Tokens, reg, session.NewMetrics(w.Metrics), opt.Session)
	registerGauges(w.Metrics, n, w.Log, w.Store)
	n.Engine.Indexes.Load(opt.Indexes, opt.IndexRefused)
	return n, nil
}

// Actors are all parts that have to be stepped, the log's committer excepted.
func (n *Node) Actors() []actor.Actor {
	all := []actor.Actor{n.queries, n.counters, n.Checkpointer}
	for _, l := range n.Engine.Actors() {
		all = append(all, l)
	}
	for _, f := range n.Engine.Fetchers() {
		all = append(all, f)
	}
	return all
}

// Problems says what keeps the node from taking or keeping writes, one sentence
// each.
func (n *Node) Problems() []string {
	var out []string
	if err := n.log.Problem(); err != nil {
		out = append(out, fmt.Sprintf("the change log cannot be written, writes are refused until it can: %v", err))
	}
	if err := n.Checkpointer.Stats().LastError; err != nil {
		out = append(out, fmt.Sprintf("the store cannot be written; writes are refused when the change log is full: %v", err))
	}
	return out
}

// Sweep does what has to be done from time to time; it is called every 100 ms.
func (n *Node) Sweep() {
	n.maps.Sweep()
	n.queries.Sweep()
	n.syncs.Sweep()
	n.Engine.Sweep(n.syncs.Confirmed())
	n.Engine.Indexes.Sweep()
	n.Host.Sweep()
}

// Run gives every actor a goroutine until ctx ends, and returns when all have
// ended.
func (n *Node) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { n.Checkpointer.Run(ctx) })
	all.Go(func() { n.Engine.Breaks.Run(ctx) })
	all.Go(func() { actor.Run(ctx, n.queries) })
	all.Go(func() { actor.Run(ctx, n.counters) })
	for _, l := range n.Engine.Actors() {
		all.Go(func() { actor.Run(ctx, l) })
	}
	for _, f := range n.Engine.Fetchers() {
		all.Go(func() { actor.Run(ctx, f) })
	}
	t := n.clock.NewTimer(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C():
			n.Sweep()
			t.Reset(sweepEvery)
		case <-ctx.Done():
			return
		}
	}
}

const sweepEvery = 100 * time.Millisecond
