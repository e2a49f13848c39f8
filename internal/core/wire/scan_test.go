package wire

import "testing"

func TestReadLastOpID(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame any
		want  string
		ok    bool
	}{
		{"of several operations", batch(op("id", "1"), op("id", "22")), "22", true},
		{"before other fields", batch(op("id", "1"), object{"id", "x", "key", "k"}), "x", true},
		{"none without operations", batch(), "", false},
		{"none without an id", batch(op("id", "1"), op()), "", false},
		{"none if it is no string", batch(op("id", 5)), "", false},
		{"none in a message without operations", object{"type", "TOPIC_SUB", "payload", object{"topic", "t"}}, "", false},
		{"none without a payload", object{"type", "TOPIC_SUB"}, "", false},
		{"none in something else", 5, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := ReadLastOpID(bytesOf(t, c.frame))
			if string(got) != c.want || ok != c.ok {
				t.Errorf("%q %t, want %q %t", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame any
		want  string
	}{
		{"in the payload", object{"type", "SEARCH", "payload", object{"query", 5, "requestId", "r"}}, "r"},
		{"of a query", object{"type", "QUERY_SUB", "payload", object{"queryId", "q"}}, "q"},
		{"of a subscription", object{"type", "SEARCH_SUB", "payload", object{"subscriptionId", "s"}}, "s"},
		{"of a vector search", object{"type", "VECTOR_SEARCH", "payload", object{"id", "v"}}, "v"},
		{"beside the type", object{"type", "JOURNAL_READ", "requestId", "j"}, "j"},
		{"beside a payload that is no map", object{"type", "JOURNAL_READ", "payload", 5, "requestId", "j"}, "j"},
		{"none", object{"type", "PING", "timestamp", 1}, ""},
		{"not a string", object{"type", "SEARCH", "payload", object{"requestId", 5}}, ""},
		{"no map", 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := RequestID(bytesOf(t, c.frame)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := RequestID([]byte{0x82, 0xa4, 't'}); got != "" {
		t.Errorf("%q from a frame that is cut short", got)
	}
}

func TestTypeOf(t *testing.T) {
	got, err := TypeOf(bytesOf(t, object{"x", []int{1}, "type", "PING"}))
	if got != TypePing || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for typ := Type(1); int(typ) <= Types; typ++ {
		if got := typeByName(typ.String()); got != typ || typ.Direction() == 0 || newMessage(typ).Type() != typ {
			t.Errorf("type %d is %q, which is %d with direction %d", typ, typ, got, typ.Direction())
		}
	}
	if Type(0).String() != "" || Type(255).String() != "" || Type(255).Direction() != 0 {
		t.Error("types that are not defined have a name or a direction")
	}
}
