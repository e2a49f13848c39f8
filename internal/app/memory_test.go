package app

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

func TestMemoryIsDivided(t *testing.T) {
	storage := config.Storage{ChangeLogBytes: 256 << 20}
	for name, tt := range map[string]struct {
		budget, available, want int64
	}{
		"given":               {512 << 20, 8 << 30, 512 << 20},
		"of the machine":      {0, 8 << 30, 6 << 30},
		"when nobody can say": {0, 0, 0},
	} {
		p := planMemory(config.Config{Storage: storage, Memory: config.Memory{Budget: tt.budget}}, tt.available)
		if p.budget != tt.want {
			t.Errorf("%s: the budget is %d, want %d", name, p.budget, tt.want)
		}
		if sum := int64(p.records) + p.cache + p.maxLog; p.budget > 0 && (sum > p.budget*4/5 || p.records == 0) || p.budget == 0 && p.records != 0 {
			t.Errorf("%s: %+v", name, p)
		}
		if p.log <= 0 || p.log > p.maxLog || p.maxLog > storage.ChangeLogBytes {
			t.Errorf("%s: a checkpoint begins at %d, writers wait at %d", name, p.log, p.maxLog)
		}
	}
}

func TestAvailableMemoryIsTheLeastLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"a machine":                 {map[string]string{"proc/meminfo": "MemFree: 1 kB\nMemTotal:       1024 kB\n"}, 1 << 20},
		"a container":               {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "sys/fs/cgroup/memory.max": "65536\n"}, 65536},
		"a container of old":        {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"}, 4096},
		"a container with no limit": {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 1 << 20},
		"another system":            {nil, 0},
	} {
		root := t.TempDir()
		for file, text := range tt.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != tt.want {
			t.Errorf("%s has %d bytes, want %d", name, got, tt.want)
		}
	}
}

func TestGarbageFollowsTheHeap(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 16 << 20: 200, 32 << 20: 100, 400 << 20: 50, 4 << 30: 6} {
		if got := gcPercent(live, 0); got != want {
			t.Errorf("with %d bytes in use the collector is set to %d, want %d", live, got, want)
		}
	}
	if got := gcPercent(400<<20, 120<<20); got != 60 {
		t.Errorf("with 120 of 400 MiB to look through the collector is set to %d", got)
	}
}

// TestTheBudgetBoundsTheCollector runs a server and looks at the runtime's limit.
func TestTheBudgetBoundsTheCollector(t *testing.T) {
	if os.Getenv("GOMEMLIMIT") != "" {
		t.Skip("the environment sets the limit")
	}
	before := debug.SetMemoryLimit(-1)
	c := &collector{clock: systemClock{}, budget: 300 << 20}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(ctx)
	}()
	for debug.SetMemoryLimit(-1) != 300<<20 {
		select {
		case <-done:
			t.Fatal("the collector has ended")
		default:
		}
	}
	stop()
	<-done
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("the limit was %d and is %d", before, after)
	}
}

func TestEvictionHasItsPolicy(t *testing.T) {
	for name, want := range map[config.Eviction]records.Policy{
		config.EvictLRU: records.LRU, config.EvictLFU: records.LFU, config.EvictRandom: records.Random,
	} {
		if got := policy(name); got != want {
			t.Errorf("%s is policy %d, want %d", name, got, want)
		}
	}
}
