package wire

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

func lengthsBigEndian(messages ...string) []byte {
	var data []byte
	for _, m := range messages {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(m))), m...)
	}
	return data
}

func lengthsLittleEndian(count int, messages ...string) []byte {
	data := binary.LittleEndian.AppendUint32(nil, uint32(count))
	for _, m := range messages {
		data = append(binary.LittleEndian.AppendUint32(data, uint32(len(m))), m...)
	}
	return data
}

func TestBatchLayouts(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want []string
		err  error
	}{
		{"as servers send it", lengthsLittleEndian(2, "one", "three"), []string{"one", "three"}, nil},
		{"as servers send it, empty", lengthsLittleEndian(0), nil, nil},
		{"the other layout", lengthsBigEndian("one", "three"), []string{"one", "three"}, nil},
		{"the other layout, empty", nil, nil, nil},
		{"a count that does not match", lengthsLittleEndian(3, "one", "three"), nil, ErrInvalid},
		{"a message that is cut short", lengthsLittleEndian(2, "one", "three")[:12], nil, ErrInvalid},
		{"a length that is cut short", append(lengthsBigEndian("one"), 0, 0), nil, ErrInvalid},
		{"a message of no bytes", lengthsLittleEndian(1, ""), nil, ErrInvalid},
		{"filler", []byte{222, 173, 190, 239}, nil, ErrInvalid},
		{"too few bytes", []byte{1, 2, 3}, nil, ErrInvalid},
		{"too many messages", lengthsLittleEndian(4, "a", "b", "c", "d"), nil, ErrTooLarge},
		{"too many messages, the other layout", lengthsBigEndian("a", "b", "c", "d"), nil, ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := (&Batch{Data: c.data}).Messages(Limits{BatchItems: 3})
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for i := range got {
				if string(got[i]) != c.want[i] || cap(got[i]) != len(got[i]) {
					t.Errorf("message %d is %q (capacity %d), want %q", i, got[i], cap(got[i]), c.want[i])
				}
			}
		})
	}
}

// TestAppendBatch: what is put together comes apart again, also nested.
func TestAppendBatch(t *testing.T) {
	one, two := Append(nil, &TopicSub{Topic: "a"}), Append(nil, &TopicUnsub{Topic: "b"})
	outer := AppendBatch([]byte{}, one, AppendBatch(nil, two))
	m, err := Decode(outer, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b := m.(*Batch)
	parts, err := b.Messages(Limits{})
	if err != nil || b.Count != 2 || len(parts) != 2 || string(parts[0]) != string(one) {
		t.Fatalf("%d: %q, %v", b.Count, parts, err)
	}
	inner, err := Decode(parts[1], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	parts, err = inner.(*Batch).Messages(Limits{})
	if err != nil || len(parts) != 1 || string(parts[0]) != string(two) {
		t.Fatalf("%q, %v", parts, err)
	}
}

// TestBatchHeader: the data of a batch is a binary that starts with the count,
// both little-endian, which is what clients read.
func TestBatchHeader(t *testing.T) {
	data, ok := value.Lookup(AppendBatch(nil, []byte("abc")), value.ParsePath("data"))
	if want := "\xc4\x0b\x01\x00\x00\x00\x03\x00\x00\x00abc"; !ok || string(data) != want {
		t.Errorf("%q, want %q", data, want)
	}
}

func FuzzBatchMessages(f *testing.F) {
	f.Add(lengthsLittleEndian(2, "one", "three"))
	f.Add(lengthsBigEndian("one", "three"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := (&Batch{Data: data}).Messages(Limits{})
		if err != nil {
			checkRefusal(t, err)
			return
		}
		size := 0
		for _, m := range got {
			size += 4 + len(m)
		}
		if size != len(data) && size+4 != len(data) {
			t.Errorf("%d of %d bytes", size, len(data))
		}
	})
}
