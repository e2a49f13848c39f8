package value

import (
	"math"
	"math/big"
	"math/bits"
)

const (
	// sumUnit is the exponent of the smallest float64: every finite one is a
	// multiple of 2^sumUnit.
	sumUnit = -1074

	// sumLimbs of 32 bits hold every sum of finite float64s.
	sumLimbs = (1024-sumUnit)/32 + 3

	// sumCarry is after how many numbers carries have to be passed on.
	sumCarry = 1 << 29
)

// Sum is an exact sum of numbers, rounded only when it is read. Numbers can be
// taken out again, so it depends on what is in it and not on how it came there.
// The zero Sum is 0.
type Sum struct {
	count              int64
	nans, tops, bottom int64 // NaN, +Inf and -Inf have no place among the others

	// The integers, as a two's complement of 128 bits.
	low, high uint64

	// The others, in units of 2^sumUnit, as digits of 32 bits with a sign each.
	limbs []int64
	since int // numbers since the carries were passed on
}

// Count is how many numbers are in the sum.
func (s *Sum) Count() int64 { return s.count }

// Add adds a value if it is a number.
func (s *Sum) Add(v Raw) { s.put(v, +1) }

// Remove takes out a value that was added.
func (s *Sum) Remove(v Raw) { s.put(v, -1) }

func (s *Sum) put(v Raw, sign int64) {
	n, _, ok := parseNumber(v)
	if !ok {
		return
	}
	s.count += sign
	switch n.form {
	case formInt:
		s.putInt(n.bits, uint64(int64(n.bits)>>63), sign)
		return
	case formBig:
		s.putInt(n.bits, 0, sign)
		return
	}
	switch f := math.Float64frombits(n.bits); {
	case math.IsNaN(f):
		s.nans += sign
	case math.IsInf(f, 1):
		s.tops += sign
	case math.IsInf(f, -1):
		s.bottom += sign
	case f == math.Trunc(f) && math.Abs(f) < 1<<62:
		s.putInt(uint64(int64(f)), uint64(int64(f)>>63), sign)
	default:
		s.putFloat(f, sign)
	}
}

func (s *Sum) putInt(low, high uint64, sign int64) {
	var carry uint64
	if sign > 0 {
		s.low, carry = bits.Add64(s.low, low, 0)
		s.high, _ = bits.Add64(s.high, high, carry)
		return
	}
	s.low, carry = bits.Sub64(s.low, low, 0)
	s.high, _ = bits.Sub64(s.high, high, carry)
}

func (s *Sum) putFloat(f float64, sign int64) {
	if s.limbs == nil {
		s.limbs = make([]int64, sumLimbs)
	}
	if s.since++; s.since == sumCarry {
		s.carry()
	}
	if f < 0 {
		f, sign = -f, -sign
	}
	raw := math.Float64bits(f)
	exponent, mantissa := int(raw>>52), raw&(1<<52-1)
	if exponent > 0 {
		mantissa |= 1 << 52
		exponent-- // a subnormal number has the exponent of the smallest normal one
	}
	at, shift := exponent/32, exponent%32
	high, low := bits.Mul64(mantissa, 1<<shift)
	s.limbs[at] += sign * int64(low&math.MaxUint32)
	s.limbs[at+1] += sign * int64(low>>32)
	s.limbs[at+2] += sign * int64(high)
}

// carry makes all digits but the last small again.
func (s *Sum) carry() {
	s.since = 0
	for i := range len(s.limbs) - 1 {
		over := s.limbs[i] >> 32
		s.limbs[i] -= over << 32
		s.limbs[i+1] += over
	}
}

// Float is the float64 nearest to the sum, of two the even one.
func (s *Sum) Float() float64 {
	switch {
	case s.nans > 0 || s.tops > 0 && s.bottom > 0:
		return math.NaN()
	case s.tops > 0:
		return math.Inf(1)
	case s.bottom > 0:
		return math.Inf(-1)
	}
	total := new(big.Int).Lsh(big.NewInt(int64(s.high)), 64)
	total.Add(total, new(big.Int).SetUint64(s.low))
	if s.limbs == nil {
		f, _ := new(big.Float).SetInt(total).Float64()
		return f
	}
	total.Lsh(total, -sumUnit)
	for i, limb := range s.limbs {
		digit := new(big.Int).Lsh(big.NewInt(limb), uint(32*i))
		total.Add(total, digit)
	}
	x := new(big.Float).SetInt(total)
	f, _ := x.SetMantExp(x, sumUnit).Float64()
	return f
}
