package embedded

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// records writes records of the given lengths as pebble does and returns where
// each ends.
func records(t *testing.T, r *rand.Rand, lengths ...int) (content []byte, ends []int) {
	t.Helper()
	var buf bytes.Buffer
	w := record.NewWriter(&buf)
	for _, n := range lengths {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		if _, err := w.WriteRecord(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, buf.Len())
	}
	return buf.Bytes(), ends
}

func TestDamageInAManifest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	content, ends := records(t, r, 100, 0, 300, 32<<10, 10, 70<<10, 5, 200)
	if err := checkManifest(content); err != nil {
		t.Fatalf("sound: %v", err)
	}
	last := ends[len(ends)-2]
	for range 500 {
		i, bit := r.IntN(len(content)), byte(1)<<r.IntN(8)
		content[i] ^= bit
		err := checkManifest(content)
		content[i] ^= bit
		if i < last && !errors.Is(err, backing.ErrCorrupt) {
			t.Errorf("byte %d of %d: %v, want ErrCorrupt", i, len(content), err)
		}
		if i >= last && err != nil {
			t.Errorf("byte %d of %d, in the last record: %v", i, len(content), err)
		}
	}
}

func TestATornEndIsNoDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		content, ends := records(t, r, 100, 20<<10, r.IntN(100<<10))
		synced := ends[1]
		// What was not synced is kept in pages, or cut, or not there yet.
		for page := synced; page < len(content); page += 4096 {
			if r.IntN(2) == 0 {
				clear(content[page:min(page+4096, len(content))])
			}
		}
		content = content[:synced+r.IntN(len(content)-synced+1)]
		content = append(content, make([]byte, r.IntN(40<<10))...)
		if err := checkManifest(content); err != nil {
			t.Fatalf("torn at %d: %v", synced, err)
		}
	}
}

// TestNoCheckpointIsForgottenSilently damages the manifest of a real store.
func TestNoCheckpointIsForgottenSilently(t *testing.T) {
	for at := 2; at < 20; at++ {
		mem, hist := filled(t)
		names, err := mem.List("store")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, "MANIFEST") {
				data, err := mem.UnsafeGetFileDataBuffer("store/" + name)
				if err != nil {
					t.Fatal(err)
				}
				data[len(data)*at/40] ^= 4
			}
		}
		s, err := Open(mem, "store", quiet, Options{})
		if err == nil {
			k, _ := hist.verify(t, s, 0, 3)
			t.Errorf("damage at %d/40 of the manifest brought back checkpoint %d of 3", at, k)
			mustClose(t, s)
			continue
		}
		expect(t, "Open", err, backing.ErrCorrupt, "manifest")
	}
}

func FuzzCheckManifest(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 3*manifestBlock))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := checkManifest(content); err != nil && !errors.Is(err, backing.ErrCorrupt) {
			t.Error(err)
		}
	})
}
