package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// realTime is the clock of the deadlines of real connections.
type realTime struct{ clock.Clock }

func (realTime) Now() time.Time { return time.Now() }

// authority knows the tokens root and user.
type authority bool

func (a authority) Required() bool { return bool(a) }

func (a authority) Authenticate(token string) (policy.Principal, error) {
	switch token {
	case "root":
		return policy.Principal{ID: "root", Roles: []string{"user", Role}}, nil
	case "user":
		return policy.Principal{ID: "user", Roles: []string{"user"}}, nil
	default:
		return policy.Principal{}, errors.New("the secret detail")
	}
}

func TestWhoMayAdminister(t *testing.T) {
	for _, c := range []struct {
		name   string
		auth   authority
		header []string
		status int
	}{
		{"an administrator", true, []string{"Authorization", "Bearer root"}, 204},
		{"the scheme in another case", true, []string{"Authorization", "bearer root"}, 204},
		{"somebody else", true, []string{"Authorization", "Bearer user"}, 403},
		{"a bad token", true, []string{"Authorization", "Bearer x"}, 401},
		{"another scheme", true, []string{"Authorization", "Basic root"}, 401},
		{"nobody", true, nil, 401},
		{"anybody, without authentication", false, nil, 204},
		{"a page of another origin", false, []string{"Origin", "http://evil.example.com", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of another origin with a token", true, []string{"Authorization", "Bearer root", "Origin", "http://evil.example.com"}, 403},
		{"a page of this origin", false, []string{"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := New(c.auth)
			a.Handle("POST /api/admin/thing", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			r := httptest.NewRequest(http.MethodPost, "/api/admin/thing", nil)
			for i := 0; i+1 < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != c.status || strings.Contains(w.Body.String(), "secret detail") {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			if c.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestWhatIsNotServed(t *testing.T) {
	a := New(authority(false))
	a.Handle("POST /api/admin/thing", http.NotFoundHandler())
	for method, status := range map[string]int{"GET /api/admin/thing": 405, "GET /api/admin/other": 404} {
		verb, path, _ := strings.Cut(method, " ")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(verb, path, nil))
		var p transport.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); w.Code != status || err != nil || p.Code != status {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

// serve starts a server whose backups are taken by take.
func serve(t *testing.T, take Backup) *httptest.Server {
	t.Helper()
	a := New(authority(false))
	a.MountBackup(take, realTime{})
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return srv
}

// answer is what a request for a backup was answered with.
type answer struct {
	status int
	header http.Header
	text   string
}

func ask(srv *httptest.Server, body string) (answer, error) {
	resp, err := http.Post(srv.URL+BackupPath, "application/json", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

func TestBackupAnswers(t *testing.T) {
	for _, c := range []struct {
		name, body string
		take       Backup
		status     int
		says       string
	}{
		{"a full one", "", func(_ context.Context, base *backup.Base, out io.Writer) error {
			_, err := fmt.Fprintf(out, "base %v", base)
			return err
		}, 200, "base <nil>"},
		{"an incremental one", `{"id":"i","log":"l","since":{"3":{"Epoch":1,"Seq":2}}}`, func(_ context.Context, base *backup.Base, out io.Writer) error {
			_, err := fmt.Fprintf(out, "base %v", *base)
			return err
		}, 200, "base {i l map[3:{1 2}]}"},
		{"no base", `{"since":{}}`, nil, 400, "base"},
		{"no JSON", `nonsense`, nil, 400, "base"},
		{"a base that does not fit", `{"id":"i","log":"l"}`, func(context.Context, *backup.Base, io.Writer) error {
			return fmt.Errorf("%w: why", backup.ErrBase)
		}, 409, "full backup"},
		{"a node that cannot", "", func(context.Context, *backup.Base, io.Writer) error { return errors.New("no disk") }, 503, "no disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ask(serve(t, c.take), c.body)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != c.status || !strings.Contains(got.text, c.says) {
				t.Errorf("answered %d %s", got.status, got.text)
			}
		})
	}
}

func TestABackupThatBreaksOffIsNoAnswer(t *testing.T) {
	srv := serve(t, func(_ context.Context, _ *backup.Base, out io.Writer) error {
		_, _ = io.WriteString(out, strings.Repeat("x", 1<<16))
		return errors.New("the disk broke")
	})
	if got, err := ask(srv, ""); err == nil {
		t.Errorf("a broken stream of %d bytes arrives as a whole", len(got.text))
	}
}

func TestOneBackupAtATime(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	srv := serve(t, func(_ context.Context, _ *backup.Base, out io.Writer) error {
		close(begun)
		<-end
		_, err := io.WriteString(out, "done")
		return err
	})
	first := make(chan string)
	go func() {
		got, err := ask(srv, "")
		first <- fmt.Sprint(got.text, err)
	}()
	<-begun
	if got, err := ask(srv, ""); err != nil || got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("a second backup: %+v, %v", got, err)
	}
	close(end)
	if got := <-first; got != "done<nil>" {
		t.Errorf("the first one ends with %q", got)
	}
}
