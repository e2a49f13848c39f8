package bench

import (
	"context"
	"errors"
	"time"
)

// side is one of two servers that are compared, and those who write to it.
type side struct {
	target *target
	load   *load
	asked  *askers // nil for none
	measured
}

func (s *side) open(ctx context.Context, o Options) (err error) {
	if s.target, err = startTarget(ctx, o, childServer); err != nil {
		return err
	}
	s.load, err = newLoad(ctx, s.target.url, o)
	return err
}

func (s *side) close() error {
	var errs []error
	if s.asked != nil {
		errs = append(errs, s.asked.close())
	}
	if s.load != nil {
		errs = append(errs, s.load.close())
	}
	if s.target != nil {
		errs = append(errs, s.target.stop())
	}
	return errors.Join(errs...)
}

// alternate has both sides write, after warming up, each for o.Duration in all: times
// over in the order a, b, b, a, so that what grows with time, and a machine that is
// not always as fast, are in both. The more times, the shorter the turns.
func alternate(ctx context.Context, o Options, a, b *side, times int) error {
	for _, s := range []*side{a, b} {
		if _, err := s.load.runFor(ctx, o, o.Warmup); err != nil {
			return err
		}
	}
	if err := profile(o, a, b); err != nil {
		return err
	}
	for range times {
		for _, s := range []*side{a, b, b, a} {
			if err := s.measure(ctx, s.target, s.load, o, o.Duration/time.Duration(2*times)); err != nil {
				return err
			}
		}
	}
	return profiled(o, a, b)
}

// profile begins a profile of both sides, if one is wanted; that of the second goes
// to a file of its own.
func profile(o Options, a, b *side) error {
	if o.CPUProfile == "" {
		return nil
	}
	return errors.Join(a.target.process.Profile(o.CPUProfile), b.target.process.Profile(o.CPUProfile+".none"))
}

// profiled ends them.
func profiled(o Options, a, b *side) error {
	if o.CPUProfile == "" {
		return nil
	}
	return errors.Join(a.target.process.StopProfile(), b.target.process.StopProfile())
}
