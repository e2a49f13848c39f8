package app

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// memoryPlan divides the memory of the process. What it does not name is for
// connections, messages under way, checkpoints and garbage.
type memoryPlan struct {
	budget  int64 // 0: unknown, no limit
	records int   // what records may take
	cache   int64 // the store's cache of blocks
	log     int64 // change log at which a checkpoint begins
	maxLog  int64 // change log at which writers wait for it
}

// planMemory divides a budget. Without one it takes three quarters of what there
// is; available is 0 where nobody can tell.
func planMemory(cfg config.Config, available int64) memoryPlan {
	p := memoryPlan{budget: cfg.Memory.Budget, cache: maxCacheBytes, log: cfg.Storage.ChangeLogBytes / 4, maxLog: cfg.Storage.ChangeLogBytes}
	if p.budget == 0 {
		p.budget = available / 4 * 3
	}
	if p.budget == 0 {
		return p
	}
	p.records = int(p.budget / 100 * recordShare)
	p.cache = min(p.budget/32, maxCacheBytes)
	// A record that is not in the store yet cannot leave memory, and a checkpoint
	// holds copies of what it writes.
	p.log = min(p.log, max(p.budget/16, 4<<20))
	p.maxLog = min(p.maxLog, max(p.budget/8, 8<<20))
	return p
}

const (
	// recordShare is how many percent of the budget records may take.
	recordShare = 58

	maxCacheBytes = 32 << 20
)

func policy(e config.Eviction) records.Policy {
	switch e {
	case config.EvictLFU:
		return records.LFU
	case config.EvictRandom:
		return records.Random
	default:
		return records.LRU
	}
}

// availableMemory is what this process may take of the machine: the least limit
// of its control groups, or else what the machine has; 0 if the system does not
// say. root is where the system's files are.
func availableMemory(root string) int64 {
	least := int64(math.MaxInt64)
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil && n > 0 {
			least = min(least, n)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		if kib, bad := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64); ok && bad == nil {
			return min(least, kib<<10)
		}
	}
	return 0
}

// collector sets how much garbage may gather before it is collected. Pages of
// records have no pointers, so collecting a heap of records costs little, and
// twice their size would be a waste of memory.
type collector struct {
	clock  clock.Clock
	budget int64
}

const (
	collectorEvery = 250 * time.Millisecond

	startPercent = 50

	minGarbage = 32 << 20
	maxGarbage = 256 << 20
)

// run sets the collector again and again until ctx ends. What the environment says
// of GOGC and GOMEMLIMIT counts more.
func (c *collector) run(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") == "" && c.budget > 0 {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(c.budget))
	}
	if os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return
	}
	// A start fills the heap faster than anybody looks at it.
	percent := startPercent
	set := debug.SetGCPercent(percent)
	defer debug.SetGCPercent(set)
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	t := c.clock.NewTimer(collectorEvery)
	defer t.Stop()
	for {
		metrics.Read(heap)
		if next := gcPercent(heap[0].Value.Uint64(), heap[1].Value.Uint64()); next*10 < percent*9 || next*9 > percent*10 {
			percent = next
			debug.SetGCPercent(percent)
		}
		select {
		case <-t.C():
			t.Reset(collectorEvery)
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent lets half as much as the live heap gather as garbage, or twice as much as
// a collection has to look through if that is more, within bounds: standing
// queries have pointers.
func gcPercent(live, scanned uint64) int {
	live = max(live, 1<<20)
	garbage := min(max(live/2, 2*scanned, minGarbage), maxGarbage)
	return int(min(garbage*100/live, 400))
}
