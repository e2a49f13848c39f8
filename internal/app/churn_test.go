package app

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/embedded"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestChurnLeavesTheStoreSmall: the keys of a map and the tags of a set are added
// and removed for long over the embedded store. What lives is the same each time;
// in the end, when what was deleted is forgotten, the store takes no more than 1.2
// times what it took after the first time.
func TestChurnLeavesTheStoreSmall(t *testing.T) {
	store, err := embedded.Open(vfs.NewMem(), "store", slog.New(slog.DiscardHandler), embedded.Options{CompactDepth: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := holdNode(t, NodeOptions{
		Engine:  engine.Options{Lifetimes: records.Lifetimes{Tombstones: time.Minute}},
		Session: session.Options{IdleTimeout: time.Hour, OpsPerSecond: 1 << 30, Burst: 1 << 30},
	})
	h.disk, h.backing = vfs.NewMem(), store
	h.start()
	w := h.open()
	w.ask(&wire.ORMapSyncInit{MapName: "tags"})
	const keys = 2500
	stamp := func(i int) hlc.Timestamp {
		return hlc.Timestamp{Millis: h.now.t.UnixMilli(), Counter: uint32(i), Node: "writer"}
	}
	var live []string
	fill := func(round int) {
		live = live[:0]
		var ops []wire.ClientOp
		for i := range keys {
			// Not to be compressed away: text that no two records share.
			text := fmt.Sprint(round*keys+i, strings.Repeat(strconv.Itoa((round+1)*(i+7919)*104729), 12))
			ts := stamp(i)
			live = append(live, ts.String())
			ops = append(ops, peer.Put("1", "notes", fmt.Sprint("k", i), text, ts), peer.Add("1", "tags", fmt.Sprint("k", i), ts.String(), text, ts))
		}
		for part := range slices.Chunk(ops, 1000) {
			w.ask(peer.Batch(part...))
		}
	}
	empty := func() {
		var ops []wire.ClientOp
		for i := range keys {
			ops = append(ops, peer.Remove("1", "notes", fmt.Sprint("k", i), stamp(i)), peer.Drop("1", "tags", fmt.Sprint("k", i), live[i]))
		}
		for part := range slices.Chunk(ops, 1000) {
			w.ask(peer.Batch(part...))
		}
	}
	// size is what the store takes once that is small enough, or after a long time:
	// it compacts, and removes what it has compacted, in the background.
	size := func(enough func(store backing.Stats) bool) uint64 {
		t.Helper()
		h.later(2 * time.Second)
		h.later(2 * time.Second)
		st := store.Stats()
		for end := time.Now().Add(time.Minute); !enough(st) && time.Now().Before(end); st = store.Stats() {
			runtime.Gosched()
		}
		return st.DiskBytes
	}
	fill(0)
	first := size(func(st backing.Stats) bool { return st.DiskBytes > 0 && st.PendingBytes == 0 })
	for round := 1; round < 7; round++ {
		h.later(15 * time.Second)
		empty()
		h.later(15 * time.Second)
		fill(round)
	}
	for range 3 {
		h.later(2 * time.Minute)
	}
	most := first * 12 / 10
	if got := size(func(st backing.Stats) bool { return st.DiskBytes <= most }); got > most || first == 0 {
		t.Errorf("the store takes %d bytes after 6 rounds, %d after the first: %.2f times", got, first, float64(got)/float64(first))
	} else {
		t.Logf("%d bytes after 6 rounds, %d after the first: %.2f times", got, first, float64(got)/float64(first))
	}
}
