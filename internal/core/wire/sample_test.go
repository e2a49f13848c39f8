package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// filler fills messages with values, whatever their type. What it leaves in a
// message is exactly what decoding the encoded message yields, so that the two
// can be compared.
type filler interface {
	optional(name string) bool // whether an optional field is there
	length(name string) int    // of a list or map
	text(name string) string
	integer(name string) int64
	number(name string) float64
	flag(name string) bool
	pick(n int) int // one of n
	raw(name string) value.Raw
	bytes(name string) []byte
	node() string
}

// enumNames are the closed sets of names by Go type.
var enumNames = map[reflect.Type][]string{
	reflect.TypeFor[WriteConcern]():    names(FireAndForget, Memory, Applied, Replicated, Persisted),
	reflect.TypeFor[RoutingCode]():     names(NotOwner, StaleMap),
	reflect.TypeFor[EventType]():       names(EventPut, EventRemove, EventORAdd, EventORRemove),
	reflect.TypeFor[AggregateFunc]():   names(AggregateCount, AggregateSum, AggregateMin, AggregateMax, AggregateAvg),
	reflect.TypeFor[CursorStatus]():    names(CursorNone, CursorValid, CursorExpired, CursorInvalid),
	reflect.TypeFor[ChangeType]():      names(ChangeEnter, ChangeUpdate, ChangeLeave),
	reflect.TypeFor[JournalType]():     names(JournalPut, JournalUpdate, JournalDelete),
	reflect.TypeFor[SearchMethod]():    names(MethodExact, MethodFullText, MethodSemantic),
	reflect.TypeFor[NodeStatus]():      names(NodeActive, NodeJoining, NodeLeaving, NodeSuspected, NodeFailed),
	reflect.TypeFor[PartitionReason](): names(ReasonRebalance, ReasonFailover, ReasonJoin, ReasonLeave),
	reflect.TypeFor[ClusterSubKind]():  names(ClusterSubSearch, ClusterSubQuery),
}

func names[T ~string](values ...T) []string {
	var out []string
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

// fillMessage fills the struct that m points to.
func fillMessage(f filler, m any) { fillStruct(f, reflect.ValueOf(m).Elem()) }

func fillStruct(f filler, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			fill(f, v.Field(i), "", false)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("wire"), ",")
		words := strings.Split(options, ",")
		omit := slices.Contains(words, "omitempty")
		switch {
		case name == "-":
		case omit && !f.optional(name):
		case slices.Contains(words, "map"):
			v.Field(i).Set(reflect.ValueOf(fields(f)))
		default:
			fill(f, v.Field(i), name, omit)
		}
	}
}

// fields returns a map of values.
func fields(f filler) value.Raw {
	doc := value.AppendMap(nil, 2)
	doc = append(value.AppendStr(doc, "colour"), f.raw("colour")...)
	return append(value.AppendStr(doc, "weight"), f.raw("weight")...)
}

// fill sets one value. omit says that the zero value stands for absence, so
// that it must not be made unless the field is to be absent.
func fill(f filler, v reflect.Value, name string, omit bool) {
	switch p := v.Addr().Interface().(type) {
	case *ClientOp:
		*p = sampleOp(f, 0)
		return
	case *[]ClientOp:
		if n := f.length(name); n > 0 || !omit {
			*p = make([]ClientOp, n)
			for i := range *p {
				(*p)[i] = sampleOp(f, i)
			}
		}
		return
	case *value.Raw:
		if *p = f.raw(name); omit && absent(*p) {
			*p = nil
		}
		return
	case *[]byte:
		if *p = f.bytes(name); omit && len(*p) == 0 {
			*p = nil
		}
		return
	case *hlc.Timestamp:
		*p = timestamp(f)
		return
	case *Buckets:
		for digit := range 16 {
			if f.optional("bucket") && digit%3 == 1 {
				p.Set(digit, uint32(f.integer("bucket")))
			}
		}
		return
	case *NumberMap:
		fillNumbers(f, p, omit)
		return
	case *CounterState:
		fillNumbers(f, &p.Positive, false)
		fillNumbers(f, &p.Negative, false)
		return
	case *ProcessResults:
		*p = ProcessResults{}
		for i := range f.length(name) {
			r := KeyedResult{Key: fmt.Sprintf("key-%d", i)}
			fillMessage(f, &r.Result)
			*p = append(*p, r)
		}
		return
	case *Sort:
		if n := f.length(name); n > 0 || !omit {
			*p = make(Sort, n)
			for i := range *p {
				(*p)[i] = SortField{Field: f.text("field") + "f", Descending: f.flag("desc")}
			}
		}
		return
	}
	fillKind(f, v, name, omit)
}

func fillNumbers(f filler, m *NumberMap, omit bool) {
	n := f.length("numbers")
	if n == 0 && omit {
		return
	}
	*m = make(NumberMap, n)
	for i := range *m {
		(*m)[i] = NumberEntry{Name: fmt.Sprintf("node-%d", i+1), Value: f.number("value")}
	}
}

func timestamp(f filler) hlc.Timestamp {
	return hlc.Timestamp{Millis: f.integer("millis") % (1 << 53), Counter: uint32(f.integer("counter")), Node: f.node()}
}

func fillKind(f filler, v reflect.Value, name string, omit bool) {
	switch v.Kind() {
	case reflect.String:
		if enum := enumNames[v.Type()]; enum != nil {
			v.SetString(enum[f.pick(len(enum))])
		} else if v.Type() == reflect.TypeFor[string]() {
			v.SetString(f.text(name))
		} else {
			panic(fmt.Sprintf("enumNames lacks %v", v.Type()))
		}
	case reflect.Int64:
		v.SetInt(f.integer(name))
	case reflect.Uint32:
		v.SetUint(uint64(uint32(f.integer(name))))
	case reflect.Float64:
		v.SetFloat(f.number(name))
	case reflect.Bool:
		v.SetBool(f.flag(name))
	case reflect.Slice:
		if n := f.length(name); n > 0 || !omit {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(f, v.Index(i), name, false)
			}
		}
	case reflect.Struct:
		fillPresent(f, v, name)
	default:
		panic(fmt.Sprintf("no value for %v", v.Type()))
	}
}

// fillPresent fills an Opt, a Nullable or an object.
func fillPresent(f filler, v reflect.Value, name string) {
	generic, _, _ := strings.Cut(v.Type().Name(), "[")
	switch generic {
	case "Opt":
		if f.optional(name) {
			v.FieldByName("Set").SetBool(true)
			fill(f, v.FieldByName("Value"), name, false)
		}
	case "Nullable":
		state := Presence(f.pick(3))
		v.FieldByName("State").Set(reflect.ValueOf(state))
		if state == Present {
			fill(f, v.FieldByName("Value"), name, false)
		}
	default:
		fillStruct(f, v)
	}
}

// sampleOp returns a valid operation; neighbours are of different kinds.
func sampleOp(f filler, i int) ClientOp {
	op := ClientOp{MapName: f.text("mapName") + "m", Key: f.text("key")}
	if f.optional("id") {
		op.ID = fmt.Sprint(f.integer("id"))
	}
	kind := OpKind(1 + (f.pick(4)+i)%4)
	if f.optional("opType") {
		op.OpType = kind.String()
	}
	switch kind {
	case OpPut, OpRemove:
		op.Record = Given(LWWRecord{})
		fillMessage(f, &op.Record.Value)
		if kind == OpRemove {
			op.Record.Value.Value = value.Raw{0xc0}
		} else if op.Record.Value.Tombstone() {
			op.Record.Value.Value = value.Raw{1}
		}
	case OpORAdd:
		op.ORRecord.Set = true
		fillMessage(f, &op.ORRecord.Value)
	case OpORRemove:
		op.ORTag = Some(f.text("orTag"))
	}
	if f.optional("writeConcern") {
		op.WriteConcern = Persisted
		op.Timeout = f.integer("timeout")
	}
	return op
}

// random is a filler that takes everything from a source of numbers.
type random struct{ *rand.Rand }

func (r random) optional(string) bool  { return r.IntN(2) == 0 }
func (r random) length(string) int     { return r.IntN(4) }
func (r random) flag(string) bool      { return r.IntN(2) == 0 }
func (r random) pick(n int) int        { return r.IntN(n) }
func (r random) integer(string) int64  { return r.Int64() >> (10 + r.IntN(53)) }
func (r random) number(string) float64 { return r.NormFloat64() * float64(int64(1)<<r.IntN(60)) }
func (r random) node() string          { return fmt.Sprintf("node-%x", r.IntN(1<<r.IntN(30))) }
func (r random) text(string) string    { return r.string("aé日😀\x00:\"z") }
func (r random) raw(string) value.Raw  { return r.value(2) }
func (r random) bytes(string) (b []byte) {
	b = make([]byte, r.IntN(20))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// string returns up to 40 runes of an alphabet, or very rarely many more.
func (r random) string(alphabet string) string {
	runes := []rune(alphabet)
	n := r.IntN(1 << r.IntN(6))
	if r.IntN(50) == 0 {
		n = 100
	}
	var b strings.Builder
	for range n {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

// value returns a value with at most depth containers around a scalar.
func (r random) value(depth int) value.Raw {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	var dst []byte
	switch r.IntN(kinds) {
	case 0:
		return value.AppendNil(dst)
	case 1:
		return value.AppendBool(dst, r.flag(""))
	case 2:
		return value.AppendInt(dst, r.Int64()>>r.IntN(64))
	case 3:
		return value.AppendFloat(dst, r.number(""))
	case 4:
		return value.AppendBin(dst, r.bytes(""))
	case 5:
		return value.AppendStr(dst, r.text(""))
	case 6:
		n := r.IntN(4)
		dst = value.AppendArray(dst, n)
		for range n {
			dst = append(dst, r.value(depth-1)...)
		}
		return dst
	}
	keys := r.Perm(4)[:r.IntN(4)]
	dst = value.AppendMap(dst, len(keys))
	for _, k := range keys {
		dst = append(value.AppendStr(dst, [...]string{"a", "b", "a.b", ""}[k]), r.value(depth-1)...)
	}
	return dst
}

// eachMessage runs a test for every message type, with a function that makes an
// empty message of it. HTTP bodies are included.
func eachMessage(t *testing.T, test func(t *testing.T, empty func() any)) {
	t.Helper()
	for i := 1; i <= Types; i++ {
		typ := Type(i)
		t.Run(typ.String(), func(t *testing.T) {
			t.Helper()
			test(t, func() any { return newMessage(typ) })
		})
	}
	t.Run("HTTP_SYNC_REQUEST", func(t *testing.T) {
		t.Helper()
		test(t, func() any { return new(HTTPSyncRequest) })
	})
	t.Run("HTTP_SYNC_RESPONSE", func(t *testing.T) {
		t.Helper()
		test(t, func() any { return new(HTTPSyncResponse) })
	})
}

// encodeAny and decodeLike work on messages and HTTP bodies alike.
func encodeAny(m any) []byte { return m.(interface{ AppendTo([]byte) []byte }).AppendTo(nil) }

func decodeLike(m any, b []byte) (any, error) {
	switch m.(type) {
	case *HTTPSyncRequest:
		return DecodeHTTPSyncRequest(b, Limits{})
	case *HTTPSyncResponse:
		return DecodeHTTPSyncResponse(b, Limits{})
	}
	return Decode(b, Limits{})
}
