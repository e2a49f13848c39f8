package bench

import (
	"context"
	"errors"
	"runtime"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

func equalities(ctx context.Context, o Options, res *Result) (err error) {
	res.EqualityCost, err = bystanders(ctx, o, res, o.Queries, func(i int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpEq, Attribute: "n", Value: value.AppendInt(nil, int64(i))}
	})
	return err
}

func ranges(ctx context.Context, o Options, res *Result) (err error) {
	res.RangeCost, err = bystanders(ctx, o, res, o.Queries/10, func(i int) *predicate.Node {
		pair := value.AppendInt(value.AppendInt(value.AppendArray(nil, 2), int64(7*i)), int64(7*i+20))
		return &predicate.Node{Op: predicate.OpBetween, Attribute: "n", Value: pair}
	})
	return err
}

// beyond is where the numbers of records begin that no bystander asks for.
const beyond = 1 << 30

// numbered makes values with a number that no bystander asks for.
func numbered(size int) func(key string) value.Raw {
	text := textOf(size)("")
	return func(key string) value.Raw {
		n, err := strconv.Atoi(key[len("key-"):])
		if err != nil {
			n = 0
		}
		v := value.AppendInt(value.AppendStr(value.AppendMap(nil, 2), "n"), int64(beyond+n))
		return append(v, text[1:]...) // behind the header of a map of one field
	}
}

// side is one of two servers that are compared, and those who write to it.
type side struct {
	target *target
	load   *load
	asked  *askers // nil for none
	measured
}

// bystanders measures what n queries cost that no write matches: processor time
// a write to a server with them, as a multiple of that to one without. Turns are
// taken with, without, without, with, so that what grows with time is in both.
// The time of all turns counts: a collection of garbage, which looks through all
// queries, is in few of them, and a median of turns would leave it out.
func bystanders(ctx context.Context, o Options, res *Result, n int, ask func(i int) *predicate.Node) (cost float64, err error) {
	o.valueOf = numbered(o.ValueBytes)
	var with, without side
	for _, s := range []*side{&with, &without} {
		defer func() { err = errors.Join(err, s.close()) }()
		if err := s.open(ctx, o); err != nil {
			return 0, err
		}
	}
	if with.asked, err = askMany(ctx, with.target.url, n, ask, nil); err != nil {
		return 0, err
	}
	for _, s := range []*side{&with, &without} {
		if _, err := s.load.runFor(ctx, o, o.Warmup); err != nil {
			return 0, err
		}
	}
	if err := profile(o, &with, &without); err != nil {
		return 0, err
	}
	for range rounds {
		for _, s := range []*side{&with, &without, &without, &with} {
			if err := s.measure(ctx, s.target, s.load, o, o.Duration/rounds/2); err != nil {
				return 0, err
			}
		}
	}
	if err := profiled(o, &with, &without); err != nil {
		return 0, err
	}
	res.Seconds += with.seconds
	res.Refused += with.refused + without.refused
	res.Errors += with.errors + without.errors
	if with.ops == 0 || without.ops == 0 {
		return 0, errors.New("bench: nothing was written")
	}
	runtime.GC()
	return with.perOp() / without.perOp(), nil
}

// perOp is the processor time of the server for one operation, in seconds.
func (m *measured) perOp() float64 { return m.child / float64(m.ops) }

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

// profile begins a profile of both sides, if one is wanted; that of the server
// without queries goes to a file of its own.
func profile(o Options, with, without *side) error {
	if o.CPUProfile == "" {
		return nil
	}
	return errors.Join(with.target.process.Profile(o.CPUProfile), without.target.process.Profile(o.CPUProfile+".none"))
}

// profiled ends them.
func profiled(o Options, with, without *side) error {
	if o.CPUProfile == "" {
		return nil
	}
	return errors.Join(with.target.process.StopProfile(), without.target.process.StopProfile())
}
