package log

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestAppenders runs what both implementations have in common.
func TestAppenders(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), Options{})
	step := func() error { _, err := l.Step(); return err }
	for name, tt := range map[string]struct {
		lg   Appender
		step func() error
		null bool
	}{
		"log":  {l, step, false},
		"null": {&Null{}, func() error { return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			lg := tt.lg
			if IsNull(lg) != tt.null || !lg.Healthy() {
				t.Errorf("null %v, healthy %v", IsNull(lg), lg.Healthy())
			}
			told := 0
			lg.Subscribe(func() { told++ })
			var last LSN
			for range 3 {
				gen := lg.Generation()
				lsn, err := lg.Append(gen, []byte("payload"))
				if err != nil || lsn <= last {
					t.Fatalf("append: %d after %d, %v", lsn, last, err)
				}
				last = lsn
				if err := tt.step(); err != nil {
					t.Fatal(err)
				}
				if lg.End() != lsn || lg.Durable() != lsn || lg.DurableAt(gen) != lsn {
					t.Errorf("end %d, durable %d, at %d, appended %d", lg.End(), lg.Durable(), lg.DurableAt(gen), lsn)
				}
			}
			if told != 3 {
				t.Errorf("subscriber was told %d times", told)
			}
			if _, err := lg.Append(lg.Generation()+1, nil); !errors.Is(err, ErrStale) {
				t.Errorf("another generation: %v", err)
			}
			if _, err := lg.Append(lg.Generation(), make([]byte, MaxFrame+1)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("a payload beyond MaxFrame: %v", err)
			}
			if lg.DurableAt(lg.Generation()+1) != 0 {
				t.Error("something is durable under a generation to come")
			}
			n := 0
			if err := lg.Replay(0, func(LSN, []byte) error { n++; return nil }); err != nil || (n == 0) != tt.null {
				t.Errorf("replay: %d frames, %v", n, err)
			}
			if (lg.Retained() == 0) != tt.null {
				t.Errorf("%d bytes retained", lg.Retained())
			}
			if err := lg.DropBefore(last); err != nil || lg.Retained() != 0 {
				t.Errorf("drop: %v, %d bytes retained", err, lg.Retained())
			}
		})
	}
}
