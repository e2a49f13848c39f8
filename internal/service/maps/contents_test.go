package maps_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// held is what the grid holds of a key.
type held struct {
	live, dead string // tags of a set
	tombstone  bool
	ts         hlc.Timestamp
}

func contents(t *testing.T, h *harness, mapName, key string) (out held) {
	t.Helper()
	state, ok := h.world.Read(t, mapName, key)
	if !ok {
		t.Fatalf("%s/%s is not there", mapName, key)
	}
	if mapName == "tags" {
		for r := range crdt.ORState(state).Records() {
			out.live += r.Tag
		}
		for tag := range crdt.ORState(state).Tombstones() {
			out.dead += tag
		}
		return out
	}
	rec, err := crdt.ParseLWW(state)
	if err != nil {
		t.Fatal(err)
	}
	out.tombstone, out.ts = rec.Tombstone(), rec.TS
	return out
}
