//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestFullDisk fills a real file system of 24 MB under a running server: writes
// are refused by name, reads go on, and when there is space again so do writes,
// without a restart. Everything that was acknowledged is there after kill -9.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a file system of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	l := launch{args: []string{
		"serve", "--port", "0", "--no-auth", "--data-dir", filepath.Join(dir, "data"),
		"--checkpoint-interval", "1s", "--change-log-bytes", "16MiB",
	}}
	p := l.start(t)
	reader := peer.New(t, p.Port)
	defer reader.Drop()
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)

	acked := map[string]bool{}
	value := strings.Repeat("x", 64<<10)
	refused := false
	for n := 0; !refused; n++ {
		if n == 1000 {
			t.Fatal("a full disk takes everything")
		}
		key := fmt.Sprint("k", n)
		refused = !write(t, p.Port, key, value)
		acked[key] = !refused
	}
	if got := health(t, p.Port); !strings.Contains(got, `"healthy":false`) {
		t.Errorf("the node says %s", got)
	}
	present(t, reader, acked)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for every := time.NewTicker(50 * time.Millisecond); !strings.Contains(health(t, p.Port), `"healthy":true`); {
		select {
		case <-every.C:
		case <-ctx.Done():
			t.Fatalf("there is space again, and the node says %s", health(t, p.Port))
		}
	}
	if !write(t, p.Port, "after", value) {
		t.Error("there is space again, and a write is refused")
	}
	acked["after"] = true
	present(t, reader, acked)
	p.kill()
	p = l.start(t)
	present(t, peer.New(t, p.Port), acked)
	p.stop()
}

// fill writes a file until there is no space left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 4 << 10} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// write puts one record, and reports whether it was acknowledged; otherwise it
// was refused for now, and the session ended.
func write(t *testing.T, port, key, value string) bool {
	t.Helper()
	w := peer.New(t, port)
	defer w.Drop()
	w.Send(peer.Batch(peer.Put("1", "m", key, value, hlc.Timestamp{Millis: 5, Node: "test"})))
	switch m := w.Next().(type) {
	case *wire.OpAck:
		return true
	case *wire.Error:
		if code, _ := w.Closed(); m.Code != 503 || code != wire.CloseTryAgainLater {
			t.Errorf("refused with %+v, closed with %d", m, code)
		}
	default:
		t.Errorf("answered with %s", m.Type())
	}
	return false
}

// present fails the test unless everything that was acknowledged can be read.
func present(t *testing.T, r *peer.Peer, acked map[string]bool) {
	t.Helper()
	r.Send(&wire.QuerySub{QueryID: "q", MapName: "m", Fields: []string{"none"}})
	got := map[string]bool{}
	for _, row := range peer.Expect[*wire.QueryResp](r).Results {
		got[row.Key] = true
	}
	r.Send(&wire.QueryUnsub{QueryID: "q"})
	for key, was := range acked {
		if was && !got[key] {
			t.Errorf("%s was acknowledged and is not there", key)
		}
	}
}

func health(t *testing.T, port string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body)
}
