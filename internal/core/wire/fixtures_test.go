package wire

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// fixtures returns the folder of recorded protocol samples beside the
// repository, and skips the test where there is none.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(repoRoot(t), "..", "shared", "fixtures")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no protocol samples beside the repository")
	}
	return dir
}

func repoRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// decodeAny decodes a frame, or one of the HTTP bodies by the name of its
// message.
func decodeAny(name string, b []byte) (interface{ AppendTo([]byte) []byte }, error) {
	switch name {
	case "HTTP_SYNC_REQUEST":
		return DecodeHTTPSyncRequest(b, Limits{})
	case "HTTP_SYNC_RESPONSE":
		return DecodeHTTPSyncResponse(b, Limits{})
	}
	return Decode(b, Limits{})
}

// TestGoldenSamples decodes every recorded message and encodes it again. The
// documents must be equal but for fields that no version of the protocol reads.
func TestGoldenSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures(t), "wire", "*.msgpack"))
	if err != nil || len(files) < 60 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	dropped := map[string][]string{"SYNC_INIT": {"rootHash", "bucketHashes"}}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".msgpack")
		t.Run(name, func(t *testing.T) {
			sample, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := decodeAny(name, sample)
			if err != nil {
				t.Fatal(err)
			}
			want := value.Raw(sample).Any().(map[string]any)
			for _, field := range dropped[name] {
				delete(want, field)
			}
			if _, ok := m.(*CounterSync); ok { // the short names are spelled out too
				state := want["payload"].(map[string]any)["state"].(map[string]any)
				state["positive"], state["negative"] = state["p"], state["n"]
			}
			doc, err := value.FromAny(want)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.AppendTo(nil); !value.Equal(got, doc) {
				t.Errorf("encoded\n\t%v\nwant\n\t%v", value.Raw(got).Any(), want)
			}
		})
	}
}

// clientFrame is one line of a recording.
type clientFrame struct {
	file    string
	frame   []byte
	decoded map[string]any
}

// clientFrames returns all frames that clients sent in the recordings.
func clientFrames(t *testing.T) []clientFrame {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtures(t), "client-frames", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []clientFrame
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct {
				Dir     string
				Base64  string
				Decoded map[string]any
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if line.Dir != "c2s" {
				continue
			}
			frame, err := base64.StdEncoding.DecodeString(line.Base64)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			out = append(out, clientFrame{filepath.Base(file), frame, line.Decoded})
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestClientFrames decodes everything that real clients were seen to send, and
// checks that encoding and decoding it again changes nothing.
func TestClientFrames(t *testing.T) {
	frames := clientFrames(t)
	if len(frames) < 200 {
		t.Fatalf("only %d recorded frames", len(frames))
	}
	for _, f := range frames {
		m, err := Decode(f.frame, Limits{})
		if err != nil {
			t.Errorf("%s: %v: %v", f.file, err, f.decoded)
			continue
		}
		if got, want := m.Type().String(), f.decoded["type"]; got != want {
			t.Errorf("%s: type %s, want %v", f.file, got, want)
		}
		if d := m.Type().Direction(); d != ClientToServer {
			t.Errorf("%s: %v has direction %d", f.file, m.Type(), d)
		}
		if batch, ok := m.(*OpBatch); ok {
			checkRecordedBatch(t, f, batch)
		}
		once := Append(nil, m)
		again, err := Decode(once, Limits{})
		if err != nil {
			t.Errorf("%s: own encoding: %v", f.file, err)
			continue
		}
		if twice := Append(nil, again); !bytes.Equal(once, twice) {
			t.Errorf("%s: %v changes when it is encoded again", f.file, m.Type())
		}
	}
}

func checkRecordedBatch(t *testing.T, f clientFrame, batch *OpBatch) {
	t.Helper()
	ops := f.decoded["payload"].(map[string]any)["ops"].([]any)
	if len(batch.Ops) != len(ops) {
		t.Fatalf("%s: %d operations, want %d", f.file, len(batch.Ops), len(ops))
	}
	for i := range batch.Ops {
		op, want := &batch.Ops[i], ops[i].(map[string]any)
		if op.Invalid != nil {
			t.Errorf("%s: operation %d: %v", f.file, i, op.Invalid)
		}
		if op.ID != want["id"] || op.MapName != want["mapName"] || op.Key != want["key"] {
			t.Errorf("%s: operation %d is %q %q %q, want %v", f.file, i, op.ID, op.MapName, op.Key, want)
		}
		if got := op.Kind().String(); got != want["opType"] {
			t.Errorf("%s: operation %d is a %s, want %v", f.file, i, got, want["opType"])
		}
	}
	last, ok := ReadLastOpID(f.frame)
	if want := ops[len(ops)-1].(map[string]any)["id"]; !ok || string(last) != want {
		t.Errorf("%s: last id %q, want %v", f.file, last, want)
	}
}
