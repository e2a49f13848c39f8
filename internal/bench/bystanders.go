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

// bystanders measures what n queries cost that no write matches: processor time
// a write to a server with them, as a multiple of that to one without. The time of all turns counts: a collection of garbage, which looks through all
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
	if err := alternate(ctx, o, &with, &without, rounds); err != nil {
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
