package wire

// Opt is an optional field whose zero value means something. Absent and nil
// both decode to an unset Opt, which is not encoded.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some returns a set Opt.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// Or returns the value, or def if it is unset.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}

// Presence tells apart the three ways in which a field can come.
type Presence uint8

// A field is absent, nil, or there.
const (
	Absent Presence = iota
	Nil
	Present
)

// Nullable is an optional field for which nil differs from absent.
type Nullable[T any] struct {
	Value T
	State Presence
}

// Given returns a Nullable that is present.
func Given[T any](v T) Nullable[T] { return Nullable[T]{Value: v, State: Present} }
