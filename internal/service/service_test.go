package service_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// TestTheDoor is the table of what every operation is checked for, whatever
// message it came in.
func TestTheDoor(t *testing.T) {
	lim := service.Limits{KeyBytes: 8, ValueBytes: 16}
	for _, c := range []struct {
		name string
		op   records.Op
		want wire.Code
	}{
		{"a map", records.Op{Map: "m", Key: "k"}, 0},
		{"a node as long as may be", records.Op{Verb: change.Put, Map: "m", TS: hlc.Timestamp{Node: strings.Repeat("n", 248)}}, 0},
		{"a longer node", records.Op{Verb: change.Put, Map: "m", TS: hlc.Timestamp{Node: strings.Repeat("n", 249)}}, wire.CodeTooLarge},
		{"a longer node of what cannot end", records.Op{Verb: change.Remove, Map: "m", TS: hlc.Timestamp{Node: strings.Repeat("n", 256)}}, 0},
		{"an empty key", records.Op{Map: "m"}, 0},
		{"a key as long as may be", records.Op{Map: "m", Key: strings.Repeat("k", 8)}, 0},
		{"a longer key", records.Op{Map: "m", Key: strings.Repeat("k", 9)}, wire.CodeTooLarge},
		{"a key of few letters and many bytes", records.Op{Map: "m", Key: "ключи"}, wire.CodeTooLarge},
		{"a value as large as may be", records.Op{Map: "m", Value: make(value.Raw, 16)}, 0},
		{"a larger value", records.Op{Map: "m", Value: make(value.Raw, 17)}, wire.CodeTooLarge},
		{"no map", records.Op{Key: "k"}, wire.CodeInvalidName},
		{"a map with a colon", records.Op{Map: "m:n"}, wire.CodeInvalidName},
		{"a map of the server", records.Op{Map: records.CounterMap}, wire.CodeReservedMap},
		{"one that looks like it", records.Op{Map: "__TopGun_x"}, wire.CodeReservedMap},
	} {
		err := lim.Admit(&c.op)
		if (err == nil) != (c.want == 0) || err != nil && service.CodeOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	def := service.Limits{}.WithDefaults()
	if def.KeyBytes != 4<<10 || def.ValueBytes != 1<<20 || lim.WithDefaults() != lim {
		t.Errorf("the defaults are %+v, and leave %+v as %+v", def, lim, lim.WithDefaults())
	}
}

// TestTheEndOfAnAdmittedRecordCanBeSent: its node is longer than the writer's.
func TestTheEndOfAnAdmittedRecordCanBeSent(t *testing.T) {
	over := hlc.Timestamp{Millis: 1, Node: strings.Repeat("n", records.MaxNode) + "-expired"}
	m := &wire.SyncRespLeaf{MapName: "m", Path: "000", Records: []wire.KeyedRecord{{Key: "k", Record: wire.LWWRecord{Timestamp: over}}}}
	if _, err := wire.Decode(m.AppendTo(nil), wire.Limits{}); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "Az09_.:/-": true, strings.Repeat("n", 256): true,
		"": false, strings.Repeat("n", 257): false, "a b": false, "é": false, "a\x00": false, "a*": false,
	} {
		err := service.CheckName(wire.TypeTopicSub, name)
		if (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
		if err == nil {
			continue
		}
		var e *service.Error
		if !errors.As(err, &e) || e.Code != wire.CodeInvalidName || e.Type != wire.TypeTopicSub || len(e.Request) > 256 {
			t.Errorf("%q: %+v", name, e)
		}
	}
}

// TestEveryErrorHasItsCode: what the floors below return, and what is wrapped
// around it, is told by one code; what nobody knows is told as internal.
func TestEveryErrorHasItsCode(t *testing.T) {
	for want, err := range map[wire.Code]error{
		wire.CodeForbidden:       policy.ErrDenied,
		wire.CodeMapTypeMismatch: records.ErrKind,
		wire.CodeTooLarge:        records.ErrTooLarge,
		wire.CodeUnavailable:     lane.ErrUnavailable,
		wire.CodeInvalidField:    crdt.ErrNoTag,
		wire.CodeMalformed:       &wire.DecodeError{Code: wire.CodeMalformed},
		wire.CodeConflict:        &service.Error{Code: wire.CodeConflict},
		wire.CodeInternal:        errors.New("whatever"),
	} {
		for _, e := range []error{err, fmt.Errorf("further: %w", err)} {
			if got := service.CodeOf(e); got != want {
				t.Errorf("%v is told as %s, want %s", e, got.Name(), want.Name())
			}
		}
	}
	for _, err := range []error{records.ErrInvalid, crdt.ErrNotCount} {
		if got := service.CodeOf(err); got != wire.CodeInvalidField {
			t.Errorf("%v is told as %s", err, got.Name())
		}
	}
	if got := service.CodeOf(records.ErrBusy); got != wire.CodeUnavailable {
		t.Errorf("%v is told as %s", records.ErrBusy, got.Name())
	}
}

// TestARefusalOnTheWire names code, type and request, those that there are.
func TestARefusalOnTheWire(t *testing.T) {
	for want, e := range map[string]*service.Error{
		`{"name":"NOT_FOUND","request":"r","type":"QUERY_SUB"}`: {Code: wire.CodeNotFound, Type: wire.TypeQuerySub, Request: "r"},
		`{"name":"NOT_FOUND","type":"QUERY_SUB"}`:               {Code: wire.CodeNotFound, Type: wire.TypeQuerySub},
		`{"name":"NOT_FOUND","request":"r"}`:                    {Code: wire.CodeNotFound, Request: "r"},
		`{"name":"NOT_FOUND"}`:                                  {Code: wire.CodeNotFound},
	} {
		m := e.Message()
		if got := string(value.AppendCanonical(nil, m.Details)); got != want {
			t.Errorf("details %s, want %s", got, want)
		}
		if m.Code != int64(wire.CodeNotFound.Number()) || m.Message != wire.CodeNotFound.Text() {
			t.Errorf("%+v", m)
		}
	}
	if got := (&service.Error{Code: wire.CodeNotFound, Text: "gone"}).Message().Message; got != "gone" {
		t.Errorf("the text is %q", got)
	}
}

func TestCloseErrors(t *testing.T) {
	plain, told := &service.CloseError{Code: wire.CloseTryAgainLater}, &service.CloseError{Code: wire.CloseTryAgainLater, Reason: "later"}
	if plain.Text() != wire.CloseTryAgainLater.Reason() || told.Text() != "later" || !strings.Contains(told.Error(), "1013") {
		t.Errorf("%q, %q, %q", plain.Text(), told.Text(), told.Error())
	}
	if n := (service.Frame{Head: []byte("ab"), Body: []byte("cde")}).Len(); n != 5 {
		t.Errorf("a frame of five bytes has %d", n)
	}
}

// handler is a service that writes down who leaves.
type handler struct {
	name  string
	types []wire.Type
	left  *[]string
}

func (h *handler) Handles() []wire.Type { return h.types }
func (h *handler) Leave(*service.Caller) {
	*h.left = append(*h.left, h.name)
}
func (h *handler) Handle(*service.Caller, wire.Message, int) error { return nil }

// TestRegistry: a type has one service, and who leaves is told to the last one
// first.
func TestRegistry(t *testing.T) {
	var left []string
	a := &handler{"a", []wire.Type{wire.TypeTopicSub, wire.TypeTopicPub}, &left}
	b := &handler{"b", []wire.Type{wire.TypeQuerySub}, &left}
	r := &service.Registry{}
	r.Add(a)
	r.Add(b)
	if r.Find(wire.TypeTopicPub) != a || r.Find(wire.TypeQuerySub) != b || r.Find(wire.TypeLockRequest) != nil {
		t.Error("a message finds another service")
	}
	if r.Leave(&service.Caller{}); !slices.Equal(left, []string{"b", "a"}) {
		t.Errorf("left %v", left)
	}
	defer func() {
		if recover() == nil {
			t.Error("two services of one type are taken")
		}
	}()
	r.Add(&handler{"c", []wire.Type{wire.TypeQuerySub}, &left})
}
