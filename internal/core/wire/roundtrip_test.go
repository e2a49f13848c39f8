package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// The random messages of this file: samples of each type, the same in every run.
const (
	samples = 300
	seed    = 20260823
)

// TestRoundTrip: what is encoded is decoded to the same message.
func TestRoundTrip(t *testing.T) {
	eachMessage(t, func(t *testing.T, empty func() any) {
		t.Helper()
		for i := range samples {
			r := random{rand.New(rand.NewPCG(seed, uint64(i)))}
			m := empty()
			fillMessage(r, m)
			frame := encodeAny(m)
			if err := value.Check(frame); err != nil {
				t.Fatalf("sample %d: encoding of %+v: %v", i, m, err)
			}
			got, err := decodeLike(m, frame)
			if err != nil {
				t.Fatalf("sample %d: %v in %v", i, err, value.Raw(frame).Any())
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("sample %d: decoded\n\t%+v\nwant\n\t%+v", i, got, m)
			}
		}
	})
}

// TestFormsDoNotMatter: the same document in other widths, number forms and
// orders, and with fields that nobody knows, decodes to the same message.
func TestFormsDoNotMatter(t *testing.T) {
	eachMessage(t, func(t *testing.T, empty func() any) {
		t.Helper()
		for i := range samples {
			r := random{rand.New(rand.NewPCG(seed, uint64(i)))}
			m := empty()
			fillMessage(r, m)
			frame := encodeAny(m)
			other := r.reshape(nil, frame)
			got, err := decodeLike(m, other)
			if err != nil {
				t.Fatalf("sample %d: %v in %v", i, err, value.Raw(other).Any())
			}
			if again := encodeAny(got); !value.Equal(again, frame) {
				t.Fatalf("sample %d: decoded\n\t%v\nwant\n\t%v", i, value.Raw(again).Any(), value.Raw(frame).Any())
			}
		}
	})
}

// reshape encodes a document in other forms. Maps get a field more if they have
// keys that are all names of the protocol, as those of objects are.
func (r random) reshape(dst, doc []byte) []byte {
	in := value.NewReader(doc)
	switch in.Kind() {
	case value.KindMap:
		return r.reshapeMap(dst, doc)
	case value.KindArray:
		n := in.ArrayHeader()
		dst = r.count(dst, n, 0x90, 0xdc)
		for range n {
			dst = r.reshape(dst, in.Raw())
		}
		return dst
	case value.KindInt:
		v := in.Int()
		switch wide := r.IntN(3); {
		case in.Err() != nil: // beyond int64
			return append(dst, doc...)
		case wide == 1:
			return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(v))
		case wide == 2 && v >= -(1<<53) && v <= 1<<53:
			return value.AppendFloat(dst, float64(v))
		}
		return value.AppendInt(dst, v)
	case value.KindStr:
		if s := in.StrBytes(); r.flag("") {
			return append(binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(len(s))), s...)
		}
	}
	return append(dst, doc...)
}

func (r random) reshapeMap(dst, doc []byte) []byte {
	type pair struct{ key, value []byte }
	var pairs []pair
	in := value.NewReader(doc)
	n := in.MapHeader()
	object := n > 0
	for range n {
		p := pair{in.Raw(), in.Raw()}
		pairs = append(pairs, p)
		if name, ok := value.Raw(p.key).Any().(string); !ok || !fieldNames[name] {
			object = false
		}
	}
	if object && r.flag("") {
		pairs = append(pairs, pair{value.AppendStr(nil, "unheardOf"), []byte{0x92, 0x01, 0xa1, 'x'}})
	}
	r.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	dst = r.count(dst, len(pairs), 0x80, 0xde)
	for _, p := range pairs {
		dst = r.reshape(r.reshape(dst, p.key), p.value)
	}
	return dst
}

func (r random) count(dst []byte, n int, fixed, wide byte) []byte {
	switch c := r.IntN(3); {
	case c == 0 && n <= 15:
		return append(dst, fixed|byte(n))
	case c <= 1:
		return binary.BigEndian.AppendUint16(append(dst, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, wide+1), uint32(n))
}

// fieldNames are all names that structs of the protocol use.
var fieldNames = func() map[string]bool {
	out := map[string]bool{"type": true, "payload": true, "millis": true, "counter": true, "nodeId": true}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Slice, reflect.Pointer:
			visit(t.Elem())
		case reflect.Struct:
			for f := range t.Fields() {
				if name, _, _ := strings.Cut(f.Tag.Get("wire"), ","); name != "-" {
					out[name] = true
					visit(f.Type)
				}
			}
		}
	}
	for i := 1; i <= Types; i++ {
		visit(reflect.TypeOf(newMessage(Type(i))))
	}
	visit(reflect.TypeFor[HTTPSyncRequest]())
	visit(reflect.TypeFor[HTTPSyncResponse]())
	delete(out, "") // embedded structs
	return out
}()

// TestAppendKeepsWhatIsThere: encoders append.
func TestAppendKeepsWhatIsThere(t *testing.T) {
	eachMessage(t, func(t *testing.T, empty func() any) {
		t.Helper()
		m := empty()
		fillMessage(full{}, m)
		got := m.(interface{ AppendTo([]byte) []byte }).AppendTo([]byte("before"))
		if want := append([]byte("before"), encodeAny(m)...); string(got) != string(want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestNumbersAtTheEdges: integers of every size survive, in any form.
func TestNumbersAtTheEdges(t *testing.T) {
	for _, v := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, 1 << 53, math.MaxInt64} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			frame := Append(nil, &ClientApplyAck{Cursor: v})
			m, err := Decode(frame, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.(*ClientApplyAck).Cursor; got != v {
				t.Errorf("%d, want %d", got, v)
			}
		})
	}
}
