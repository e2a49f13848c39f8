package value_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

// TestSumsAreExact adds and removes numbers in any order; the sum is that of a
// number type which never rounds, rounded once.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s value.Sum
		var in []value.Raw
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				v := valuetest.Encode(t, rapid.OneOf(
					valuetest.Scalar(), rapid.Float64().AsAny(), rapid.Float64Range(-1, 1).AsAny(), rapid.Int64().AsAny(),
					rapid.SampledFrom([]any{math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 0.1, 1e300, 1e-300, int64(1 << 62), -float64(1 << 62)}),
				).Draw(t, "value"))
				s.Add(v)
				in = append(in, v)
			},
			"remove": func(t *rapid.T) {
				if len(in) == 0 {
					t.Skip("nothing there")
				}
				i := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				s.Remove(in[i])
				in = append(in[:i], in[i+1:]...)
			},
			"": func(t *rapid.T) {
				want, count := slowSum(in)
				if got := s.Float(); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Fatalf("the sum is %v, want %v", got, want)
				}
				if s.Count() != count {
					t.Fatalf("%d numbers, want %d", s.Count(), count)
				}
			},
		})
	})
}

func slowSum(in []value.Raw) (sum float64, count int64) {
	total, infinite := new(big.Float).SetPrec(4096), 0.0
	special := false
	for _, v := range in {
		if !v.Kind().Number() {
			continue
		}
		count++
		switch n := v.Any().(type) {
		case int64:
			total.Add(total, new(big.Float).SetInt64(n))
		case uint64:
			total.Add(total, new(big.Float).SetUint64(n))
		case float64:
			if math.IsNaN(n) || math.IsInf(n, 0) {
				infinite, special = infinite+n, true
				continue
			}
			total.Add(total, new(big.Float).SetFloat64(n))
		}
	}
	if special {
		return infinite, count
	}
	sum, _ = total.Float64()
	return sum, count
}

// TestSumsOfMany passes carries on.
func TestSumsOfMany(t *testing.T) {
	var s value.Sum
	tenth := value.AppendFloat(nil, 0.1)
	const n = 1 << 20
	for range n {
		s.Add(tenth)
	}
	if got, want := s.Float(), 0.1*n; got != want {
		t.Errorf("%d tenths are %v, want %v", n, got, want)
	}
}
