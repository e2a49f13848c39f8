package wire

// Shapes has a field of every shape.
//
//wire:message SHAPES payload c2s
type Shapes struct {
	Text     string          `wire:"text"`
	Long     string          `wire:"long,omitempty,text"`
	Flag     bool            `wire:"flag,omitempty"`
	Count    int64           `wire:"count"`
	Hash     uint32          `wire:"hash"`
	Number   Opt[float64]    `wire:"number"`
	Any      value.Raw       `wire:"any"`
	Map      value.Raw       `wire:"map,omitempty,map"`
	Bytes    []byte          `wire:"bytes,omitempty"`
	Time     hlc.Timestamp   `wire:"time"`
	Colour   Colour          `wire:"colour"`
	Colours  []Colour        `wire:"colours,omitempty"`
	Texts    []string        `wire:"texts,key"`
	Values   []value.Raw     `wire:"values"`
	Point    Point           `wire:"point"`
	Maybe    Nullable[Point] `wire:"maybe"`
	Points   []TolerantPoint `wire:"points,omitempty,ops"`
	Own      Own             `wire:"own"`
	Received hlc.Timestamp   `wire:"received,omitempty,top"`
}

// Same has the fields of a point.
//
//wire:message SAME payload s2c
type Same struct {
	Point
}

// Bare has no fields.
//
//wire:message BARE flat both
type Bare struct{}

// Point is an object.
type Point struct {
	X int64 `wire:"x"`
	Y int64 `wire:"y"`
}

// TolerantPoint is an object that keeps its problem.
//
//wire:tolerant
//wire:check
type TolerantPoint struct {
	X int64 `wire:"x"`

	Invalid *DecodeError `wire:"-"`
}

// Colour is a closed set.
type Colour string

// The colours.
const (
	Red  Colour = "RED"
	Blue Colour = "BLUE"
)

// Own reads and writes itself.
//
//wire:codec {a: b}
type Own []Point
