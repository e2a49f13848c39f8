package log

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Options configures a Log. The zero value of every field means its default.
type Options struct {
	// SegmentBytes is the size at which a segment is closed and a new one
	// started. A group is never split, so a segment holds at least one, however
	// large. Default 32 MiB: an eighth of the bound on the whole log.
	SegmentBytes int64

	// MaxPending bounds the bytes appended and not yet taken by Step; beyond it
	// Append returns ErrFull. One Append always fits. The log holds up to twice as
	// much, for the bytes being written. Default 64 MiB, at most 1 GiB.
	MaxPending int

	// ZeroAhead is how far the file is filled with zeros ahead of the frames, so
	// that most syncs need not record a new file size. Default 256 KiB; negative
	// is none. Groups at least as large go without.
	ZeroAhead int

	// ConsumerBytes bounds the log that is retained for consumers alone, beyond
	// what the store needs. A consumer that would hold more loses its place, by
	// whole segments. Default 1 GiB.
	ConsumerBytes int64

	// Spares is how many files of dropped segments are kept to be written over:
	// that makes syncs about twice as fast. Default 4; negative is none.
	Spares int

	// RetryMin and RetryMax bound the pause of Run between two attempts to
	// recover; it doubles from one to the other. Defaults 10 ms and 5 s.
	RetryMin, RetryMax time.Duration

	// Index says which sequences a payload holds; see Seek. The entries are
	// appended to dst. It is called by Seek only.
	Index func(dst []PartitionSeq, payload []byte) []PartitionSeq

	// OnSync is told of each group: how long its write and sync took, and its
	// size in bytes. Called by Step, must not block.
	OnSync func(took time.Duration, bytes int)

	// Random draws the identity of a new log. Default: the system's source.
	Random clock.Random

	// Logger is told by Run of failures and recoveries. Default: nobody.
	Logger *slog.Logger
}

const maxMaxPending = 1 << 30

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 32 << 20
	}
	if o.MaxPending == 0 {
		o.MaxPending = 64 << 20
	}
	if o.ZeroAhead == 0 {
		o.ZeroAhead = 256 << 10
	}
	if o.Spares == 0 {
		o.Spares = 4
	}
	if o.ConsumerBytes == 0 {
		o.ConsumerBytes = 1 << 30
	}
	if o.RetryMin == 0 {
		o.RetryMin = 10 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = max(5*time.Second, o.RetryMin)
	}
	if o.Random == nil {
		o.Random = systemRandom{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.SegmentBytes < 0 {
		errs = append(errs, fmt.Errorf("SegmentBytes is %d, must be positive", o.SegmentBytes))
	}
	if o.MaxPending < 0 || o.MaxPending > maxMaxPending {
		errs = append(errs, fmt.Errorf("MaxPending is %d, must be 1 to %d", o.MaxPending, maxMaxPending))
	}
	if o.ZeroAhead > maxMaxPending {
		errs = append(errs, fmt.Errorf("ZeroAhead is %d, must be at most %d", o.ZeroAhead, maxMaxPending))
	}
	if o.ConsumerBytes < 0 {
		errs = append(errs, fmt.Errorf("ConsumerBytes is %d, must be positive", o.ConsumerBytes))
	}
	if o.RetryMin < 0 || o.RetryMax < o.RetryMin {
		errs = append(errs, fmt.Errorf("RetryMin is %v and RetryMax %v, must grow from above zero", o.RetryMin, o.RetryMax))
	}
	if len(errs) > 0 {
		return fmt.Errorf("log options: %w", errors.Join(errs...))
	}
	return nil
}

// systemRandom is the operating system's source; it does not fail.
type systemRandom struct{}

// Fill implements clock.Random.
func (systemRandom) Fill(b []byte) { _, _ = crand.Read(b) }
