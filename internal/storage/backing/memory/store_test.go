package memory_test

import (
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// TestSuite reopens a store by taking a clone of it after its end.
func TestSuite(t *testing.T) {
	backingtest.Run(t, func(*testing.T) backingtest.Open {
		s := memory.New()
		return func() (backing.Store, error) {
			s = s.Clone()
			return s, nil
		}
	})
}

func TestCloneIsWhatACrashLeaves(t *testing.T) {
	key := backing.Key{Map: "m", Key: "k"}
	write := func(s *memory.Store, lsn uint64, state string) {
		t.Helper()
		rows := []backing.Write{{Row: backing.Row{Key: key, State: []byte(state)}}}
		if err := s.Apply(t.Context(), slices.Values(rows), backing.Mark{LSN: lsn}); err != nil {
			t.Fatal(err)
		}
	}
	s := memory.New()
	write(s, 1, "one")
	crashed := s.Clone()
	write(s, 2, "two")
	write(crashed, 3, "three")
	for want, s := range map[string]*memory.Store{"two": s, "three": crashed} {
		row, found, err := s.Load(t.Context(), key)
		if err != nil || !found || string(row.State) != want {
			t.Errorf("Load: %q, %t, %v, want %q", row.State, found, err, want)
		}
	}
}

// TestAScanSpoilsItsRows pins that keeping a scanned row does not go unnoticed.
func TestAScanSpoilsItsRows(t *testing.T) {
	s := memory.New()
	rows := []backing.Write{{Row: backing.Row{Key: backing.Key{Map: "m", Key: "k"}, State: []byte("state")}}}
	if err := s.Apply(t.Context(), slices.Values(rows), backing.Mark{}); err != nil {
		t.Fatal(err)
	}
	var kept backing.Row
	err := s.Scan(t.Context(), backing.Range{}, func(r backing.Row) (bool, error) {
		kept = r
		return true, nil
	})
	if err != nil || string(kept.State) == "state" || kept.Key.Key == "k" || kept.Map == "m" {
		t.Errorf("a kept row still reads %q %q %q, %v", kept.Map, kept.Key.Key, kept.State, err)
	}
}
