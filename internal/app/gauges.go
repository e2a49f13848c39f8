package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// registerGauges exports what the floors below count for themselves.
func registerGauges(reg prometheus.Registerer, n *Node, lg engine.Log, store backing.Store) {
	gauge := func(name, help string, fn func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, fn))
	}
	counter := func(name, help string, fn func() float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, fn))
	}
	gauge("topgun_sessions", "Open sessions.", func() float64 { return float64(n.Host.Sessions()) })
	gauge("topgun_operations_in_flight", "Operations taken and not yet answered.", func() float64 {
		ops, _ := n.Engine.Credit.Used()
		return float64(ops)
	})
	gauge("topgun_log_retained_bytes", "Log that a start would replay.", func() float64 { return float64(lg.Retained()) })
	gauge("topgun_log_healthy", "1 while the log takes writes.", func() float64 {
		if lg.Healthy() {
			return 1
		}
		return 0
	})
	gauge("topgun_healthy", "1 while the node takes writes and keeps them; /health says what is wrong when it is 0.", func() float64 {
		if len(n.Problems()) == 0 {
			return 1
		}
		return 0
	})
	counter("topgun_log_generations_total", "Failures of the log, counted from 1.", func() float64 { return float64(lg.Generation()) })
	counter("topgun_checkpoints_total", "Checkpoints written.", func() float64 { return float64(n.Checkpointer.Stats().Checkpoints) })
	gauge("topgun_checkpoint_longest_slice_seconds", "Longest time that a checkpoint has occupied a lane at once.", func() float64 {
		return n.Checkpointer.Stats().LongestSlice.Seconds()
	})
	counter("topgun_checkpoint_rows_total", "Rows written in checkpoints.", func() float64 { return float64(n.Checkpointer.Stats().Rows) })
	counter("topgun_checkpoint_failures_total", "Checkpoints that failed and were tried again.", func() float64 {
		return float64(n.Checkpointer.Stats().Failures)
	})
	keeping := n.Engine.Keeping()
	counter("topgun_expired_total", "Records and tags whose time was over.", func() float64 {
		expired, _, _ := keeping.Counts()
		return float64(expired)
	})
	counter("topgun_tombstones_reclaimed_total", "Tombstones forgotten.", func() float64 {
		_, reclaimed, _ := keeping.Counts()
		return float64(reclaimed)
	})
	counter("topgun_stale_writes_total", "Writes refused because they were older than what the server remembers of deletions.", func() float64 {
		_, _, stale := keeping.Counts()
		return float64(stale)
	})
	gauge("topgun_horizon_seconds", "Time since the Unix epoch before which deletions may be forgotten; 0 while none is.", func() float64 {
		return float64(keeping.Horizon()) / 1000
	})
	registerMemory(reg, n.Engine)
	gauge("topgun_indexes", "Secondary indexes.", func() float64 { return float64(len(n.Engine.Indexes.List())) })
	gauge("topgun_index_bytes", "Memory that secondary indexes take.", func() float64 {
		bytes := 0
		for _, i := range n.Engine.Indexes.List() {
			bytes += i.Bytes
		}
		return float64(bytes)
	})
	registerStore(reg, store)
}

// registerStore exports how the store keeps up: what checkpoints left to its
// upkeep, and what reads have to pass until that is done.
func registerStore(reg prometheus.Registerer, store backing.Store) {
	gauge := func(name, help string, of func(backing.Stats) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(store.Stats()) }))
	}
	counter := func(name, help string, of func(backing.Stats) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(of(store.Stats())) }))
	}
	gauge("topgun_store_disk_bytes", "Disk space taken by the store.", func(s backing.Stats) float64 { return float64(s.DiskBytes) })
	gauge("topgun_store_pending_bytes", "Part of it that upkeep in the background has yet to rewrite.", func(s backing.Stats) float64 { return float64(s.PendingBytes) })
	gauge("topgun_store_read_depth", "Places that a read of the store may have to look into.", func(s backing.Stats) float64 { return float64(s.ReadDepth) })
	counter("topgun_store_checkpoint_waits_total", "Checkpoints that waited until a read has to look into fewer places.", func(s backing.Stats) uint64 { return s.Waits })
	counter("topgun_store_failures_total", "Checkpoints and work in the background that failed in the store.", func(s backing.Stats) uint64 { return s.Failures })
	counter("topgun_store_recoveries_total", "Times that the store had to recover from a failure.", func(s backing.Stats) uint64 { return s.Recoveries })
	counter("topgun_store_cache_hits_total", "Blocks that the store found in its cache.", func(s backing.Stats) uint64 { return s.CacheHits })
	counter("topgun_store_cache_misses_total", "Blocks that the store had to read.", func(s backing.Stats) uint64 { return s.CacheMisses })
}

// registerMemory exports what records take and what became of those that do not
// fit.
func registerMemory(reg prometheus.Registerer, e *engine.Engine) {
	gauge := func(name, help string, of func(engine.Memory) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(e.Memory()) }))
	}
	counter := func(name, help string, of func(engine.Memory) float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return of(e.Memory()) }))
	}
	gauge("topgun_records_bytes", "Memory that records take.", func(m engine.Memory) float64 { return float64(m.Bytes) })
	gauge("topgun_records_budget_bytes", "Memory that records may take, 0 for no limit.", func(m engine.Memory) float64 { return float64(m.Budget) })
	gauge("topgun_records_in_memory", "Records in memory, those without their state included.", func(m engine.Memory) float64 { return float64(m.Records) })
	gauge("topgun_records_without_state", "Records whose key is in memory and whose state is in the store only.", func(m engine.Memory) float64 { return float64(m.Hollow) })
	gauge("topgun_records_in_store_only", "Records that are in the store only.", func(m engine.Memory) float64 { return float64(m.Away) })
	counter("topgun_record_states_evicted_total", "States left to the store while their keys stayed.", func(m engine.Memory) float64 { return float64(m.Emptied) })
	counter("topgun_records_evicted_total", "Records left to the store.", func(m engine.Memory) float64 { return float64(m.Evicted) })
	counter("topgun_record_loads_avoided_total", "Operations on new keys that did not have to ask the store.", func(m engine.Memory) float64 { return float64(m.Avoided) })
	counter("topgun_store_reads_total", "Reads of the store for operations and scans.", func(m engine.Memory) float64 { return float64(m.Loads) })
	counter("topgun_store_read_rows_total", "Rows that they brought.", func(m engine.Memory) float64 { return float64(m.Rows) })
	counter("topgun_store_read_failures_total", "Reads of the store that failed.", func(m engine.Memory) float64 { return float64(m.LoadFailures) })
	counter("topgun_store_read_seconds_total", "Time that reads of the store took.", func(m engine.Memory) float64 { return m.LoadTime.Seconds() })
}

// sliceMetrics measures how long checkpoints occupy lanes.
func sliceMetrics(reg prometheus.Registerer) func(took time.Duration) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "topgun_checkpoint_slice_seconds", Help: "Time that a lane spends on one slice of a checkpoint: what a write behind it waits.",
		Buckets: prometheus.ExponentialBuckets(0.00005, 2, 14),
	})
	reg.MustRegister(h)
	return func(took time.Duration) { h.Observe(took.Seconds()) }
}
