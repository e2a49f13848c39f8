package value_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type vectors struct {
	OrMapMerkle []struct {
		Name    string
		Entries []struct {
			Key     string
			Records []struct {
				Value     any
				Tag       string
				TTLMs     *int64
				Timestamp struct {
					Millis  int64
					Counter int
					NodeID  string
				}
			}
		}
		Tombstones []string
		HashInputs map[string]string
	}
	MsgpackClientEncoding []struct{ Label, Hex string }
	MsgpackClientDecoding []struct {
		Label, Hex string
		Value      any
	}
}

// loadVectors reads what the JavaScript core computed, if it lies beside the
// repository.
func loadVectors(t *testing.T) (v vectors) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "fixtures", "vectors.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no fixtures beside the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The strings that entry hashes are computed over hold the canonical text of
// every kind of value.
func TestVectorsOfCanonicalText(t *testing.T) {
	checked := 0
	for _, tc := range loadVectors(t).OrMapMerkle {
		for _, e := range tc.Entries {
			want, ok := tc.HashInputs[e.Key]
			if !ok {
				continue
			}
			var parts []string
			for _, r := range e.Records {
				if slices.Contains(tc.Tombstones, r.Tag) {
					continue
				}
				s := fmt.Sprintf("|%s:%s:%d:%d:%s", r.Tag, value.AppendCanonical(nil, raw(t, r.Value)),
					r.Timestamp.Millis, r.Timestamp.Counter, r.Timestamp.NodeID)
				if r.TTLMs != nil {
					s += fmt.Sprintf(":ttl=%d", *r.TTLMs)
				}
				parts = append(parts, s)
			}
			slices.Sort(parts)
			if got := "key:" + e.Key + strings.Join(parts, ""); got != want {
				t.Errorf("%s: got %q, want %q", tc.Name, got, want)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d hash inputs found", checked)
	}
}

func TestVectorsOfClientEncoding(t *testing.T) {
	v := loadVectors(t)
	for _, tc := range v.MsgpackClientEncoding {
		if err := value.Check(unhex(t, tc.Hex)); err != nil {
			t.Errorf("%s: %v", tc.Label, err)
		}
	}
	for _, tc := range v.MsgpackClientDecoding {
		b := unhex(t, tc.Hex)
		want := raw(t, tc.Value)
		switch fields := value.Raw(b).Any().(type) {
		case value.Ext:
			continue // the client makes a Date of it, which nothing here does
		case []byte:
			if got, _ := value.Lookup(raw(t, tc.Value), value.ParsePath("bytes")); len(got.Any().([]any)) != len(fields) {
				t.Errorf("%s: got %x", tc.Label, fields)
			}
			continue
		}
		// A map with integer keys differs from its text form in bytes only.
		got, err := value.FromAny(value.Raw(b).Any())
		if err != nil || !value.Equal(got, want) || !value.Equal(b, want) {
			t.Errorf("%s: %s is not %v (%v)", tc.Label, hex.EncodeToString(b), tc.Value, err)
		}
	}
}
