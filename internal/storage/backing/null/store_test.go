package null_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/null"
)

func TestNothingIsKept(t *testing.T) {
	s := new(null.Store)
	rows := []backing.Write{{Row: backing.Row{Key: backing.Key{Map: "m", Key: "k"}, State: []byte("state")}}}
	if err := s.Apply(t.Context(), slices.Values(rows), backing.Mark{LSN: 7}); err != nil {
		t.Fatal(err)
	}
	if err := s.Clear(t.Context(), []backing.Range{{}}, backing.Mark{LSN: 8}); err != nil {
		t.Fatal(err)
	}
	if err := new(backingtest.Model).Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if _, found, err := s.Load(t.Context(), rows[0].Key); found || err != nil {
		t.Errorf("Load: %t, %v, want nothing", found, err)
	}
	if list, err := s.Maps(t.Context()); len(list) > 0 || err != nil {
		t.Errorf("Maps: %v, %v, want none", list, err)
	}
	if err := s.Flush(t.Context(), true); err != nil || s.Stats() != (backing.Stats{}) {
		t.Errorf("Flush: %v, Stats: %+v, want nothing", err, s.Stats())
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s := new(null.Store)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), nil, backing.Mark{}); !errors.Is(err, backing.ErrClosed) {
		t.Errorf("Apply: %v, want ErrClosed", err)
	}
	if err := s.Close(); !errors.Is(err, backing.ErrClosed) {
		t.Errorf("Close: %v, want ErrClosed", err)
	}
}
