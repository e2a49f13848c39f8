package app

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/web/board"
	"github.com/topgunbuild/topgun-go/web/client"
)

// TestTheBoardIsServedWhenAskedFor: with the option the board is at /, and
// without it a sentence; sockets connect there in both cases, and the client is
// there to be imported.
func TestTheBoardIsServedWhenAskedFor(t *testing.T) {
	for _, with := range []bool{true, false} {
		var env []string
		if with {
			env = []string{"TOPGUN_BOARD=1"}
		}
		s := startServer(t, env...)
		if status, body := s.get("/"); status != http.StatusOK || (body == string(board.Page)) != with {
			t.Errorf("board %v: / is answered with %d %.60q", with, status, body)
		}
		for path, content := range map[string][]byte{"/board.js": board.Script, "/board.css": board.Style} {
			status, body := s.get(path)
			if served := status == http.StatusOK && body == string(content); served != with {
				t.Errorf("board %v: %s is answered with %d", with, path, status)
			}
		}
		if status, body := s.get("/topgun.js"); status != http.StatusOK || body != string(client.Module) {
			t.Errorf("board %v: /topgun.js is answered with %d", with, status)
		}
		socket, resp, err := websocket.Dial(t.Context(), "ws://127.0.0.1:"+s.port+"/", nil)
		if err != nil {
			t.Errorf("board %v: a socket at /: %v", with, err)
		} else {
			_ = socket.CloseNow() // it was only to be opened
		}
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		s.stop()
		for _, told := range []string{"\nBoard    http://localhost:" + s.port + "/ ", "\nClients  ws://localhost:" + s.port + "/ws,", "\nData     /"} {
			if strings.Contains("\n"+s.said(), told) != with {
				t.Errorf("board %v: about %q it says\n%s", with, told, s.said())
			}
		}
	}
}

// TestTheWorkerIsAnotherOneWithEachProgram: else browsers would go on with the
// page of an earlier one when there is no server.
func TestTheWorkerIsAnotherOneWithEachProgram(t *testing.T) {
	all := files(true)
	worker := all[len(all)-1]
	if worker.Path != "/offline.js" || strings.Contains(string(worker.Body), "VERSION") {
		t.Fatalf("%s is %.200s", worker.Path, worker.Body)
	}
	for _, f := range all[:len(all)-1] {
		if !strings.Contains(string(worker.Body), `"`+f.Path+`"`) {
			t.Errorf("the worker does not keep %s", f.Path)
		}
	}
}

// TestThePageLoadsNothingElse: what the page refers to is what is served, so
// that it works on a machine without a network.
func TestThePageLoadsNothingElse(t *testing.T) {
	served := map[string]bool{}
	for _, f := range files(true) {
		served[f.Path] = true
		if len(f.Body) == 0 {
			t.Errorf("%s is empty; run make gen", f.Path)
		}
	}
	for _, m := range regexp.MustCompile(`\b(?:src|href|action)="([^"]*)"`).FindAllStringSubmatch(string(board.Page), -1) {
		if !served[m[1]] && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page refers to %q, which is not served", m[1])
		}
	}
	if s := string(board.Page); strings.Contains(s, "<style") || strings.Contains(s, " style=") || strings.Contains(s, "onclick=") {
		t.Error("the page has something that its policy forbids")
	}
}

// TestATakenPortIsNamed: with what helps.
func TestATakenPortIsNamed(t *testing.T) {
	s := startServer(t)
	cfg, err := config.Load(config.Sources{Environ: []string{"TOPGUN_NO_AUTH=1", "STORAGE_BACKEND=null", "PORT=" + s.port}})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), cfg, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), s.port) || !strings.Contains(err.Error(), "--port") {
		t.Errorf("the error is %v", err)
	}
}
