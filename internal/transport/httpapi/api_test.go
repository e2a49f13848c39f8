package httpapi

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// health is a node in a given state.
type health struct {
	state    string
	degraded []string
	problems []string
}

func (h health) State() string         { return h.state }
func (h health) Connections() int      { return 3 }
func (h health) Problems() []string    { return h.problems }
func (h health) InFlight() int         { return 7 }
func (h health) Degraded() []string    { return h.degraded }
func (h health) Uptime() time.Duration { return 90*time.Second + 900*time.Millisecond }

// counting is a source of bytes that are not random.
type counting struct{}

func (counting) Fill(b []byte) {
	for i := range b {
		b[i] = byte(0xf0 + i)
	}
}

// api is an API with an endpoint that measures what it is sent.
func api(state string, hosts transport.Hosts) *API {
	reg := prometheus.NewRegistry()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "topgun_active_connections", Help: "Open."})
	reg.MustRegister(g)
	g.Set(5)
	socket := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	a := New(health{state: state}, reg, socket, counting{}, Options{Hosts: hosts, MaxBodyBytes: 100})
	a.Handle("POST /sync", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, p := ReadBody(r)
		if p != nil {
			p.Write(w)
			return
		}
		_ = json.NewEncoder(w).Encode(len(body))
	}))
	return a
}

// ask sends one request.
func ask(a *API, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// anyHost allows every host.
var anyHost = transport.NewHosts(nil, false)

func TestHealthTellsTheState(t *testing.T) {
	for _, c := range []struct {
		state string
		ready int
	}{{"starting", 503}, {"ready", 200}, {"draining", 503}, {"stopped", 503}} {
		a := api(c.state, anyHost)
		w := ask(a, "GET", "/health", "")
		want := `{"state":"` + c.state + `","connections":3,"in_flight":7,"uptime_secs":90,"healthy":true}` + "\n"
		if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("/health answers %d %s", w.Code, w.Body)
		}
		if w := ask(a, "GET", "/health/live", ""); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("%s: /health/live answers %d %s", c.state, w.Code, w.Body)
		}
		for _, path := range []string{"/health/ready", "/healthz"} {
			if w := ask(a, "GET", path, ""); w.Code != c.ready || w.Body.Len() != 0 {
				t.Errorf("%s: %s answers %d %s", c.state, path, w.Code, w.Body)
			}
		}
	}
}

func TestMetricsAreInTheTextFormat(t *testing.T) {
	w := ask(api("ready", anyHost), "GET", "/metrics", "")
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4; charset=utf-8") {
		t.Errorf("Content-Type %q", got)
	}
	if w.Code != 200 || !strings.Contains(w.Body.String(), "\ntopgun_active_connections 5\n") {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

func TestUpgradesGoToTheSocketAndTheRestDoesNot(t *testing.T) {
	a := api("ready", anyHost)
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket"}
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/ws", upgrade, 418},
		{"GET", "/", upgrade, 418},
		{"GET", "/ws", nil, 418}, // the socket says what is missing
		{"GET", "/", nil, 200},
		{"HEAD", "/", nil, 200},
		{"GET", "/health", upgrade, 200},
	} {
		if w := ask(a, c.method, c.path, "", c.header...); w.Code != c.status {
			t.Errorf("%s %s with %v answers %d, want %d", c.method, c.path, c.header, w.Code, c.status)
		}
	}
	if w := ask(a, "GET", "/", ""); !strings.Contains(w.Body.String(), "TopGun") || !strings.Contains(w.Body.String(), "/ws") {
		t.Errorf("/ says %q", w.Body)
	}
}

// problem decodes the answer and checks that it is a complete problem.
func problem(t *testing.T, w *httptest.ResponseRecorder) transport.Problem {
	t.Helper()
	var p transport.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != w.Code || p.Message == "" ||
		w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answer %d %q is no problem: %v", w.Code, w.Body, err)
	}
	return p
}

func TestWhatIsNotServedIsAProblem(t *testing.T) {
	a := api("ready", anyHost)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/health/nothing", 404, ""},
		{"POST", "/", 405, "GET, HEAD"},
		{"DELETE", "/health", 405, "GET, HEAD"},
		{"GET", "/sync", 405, "POST"},
	} {
		w := ask(a, c.method, c.path, "")
		problem(t, w)
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s answers %d, Allow %q", c.method, c.path, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestEveryAnswerCarriesARequestID(t *testing.T) {
	a := api("ready", anyHost)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, c := range []struct {
		given  string
		echoed bool
	}{
		{"abc-123", true},
		{strings.Repeat("x", 128), true},
		{"", false},
		{strings.Repeat("x", 129), false},
		{"with space", false},
		{"with\x7f", false},
	} {
		for _, path := range []string{"/health", "/nothing", "/ws"} {
			got := ask(a, "GET", path, "", "X-Request-Id", c.given).Header().Get("X-Request-Id")
			if c.echoed && got != c.given || !c.echoed && !uuid.MatchString(got) {
				t.Errorf("%s with %q is answered with %q", path, c.given, got)
			}
		}
	}
}

func TestForeignHostsAreRefused(t *testing.T) {
	a := api("ready", transport.NewHosts(nil, true))
	w := ask(a, "GET", "http://evil.example.com/metrics", "")
	if p := problem(t, w); w.Code != 403 || !strings.Contains(p.Message, "evil.example.com") {
		t.Errorf("answered %d %q", w.Code, p.Message)
	}
	if w := ask(a, "GET", "http://localhost/metrics", ""); w.Code != 200 {
		t.Errorf("localhost is answered with %d", w.Code)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	srv := httptest.NewUnstartedServer(api("ready", anyHost))
	srv.Config.ReadTimeout = 100 * time.Millisecond
	srv.Start()
	defer srv.Close()
	chunk := func(n int) string {
		return "64\r\n" + strings.Repeat("x", 100) + "\r\n" + strings.Repeat("1\r\ny\r\n", n)
	}
	for _, c := range []struct {
		name, request string
		status        string
	}{
		{"a body that fits", "Content-Length: 100\r\n\r\n" + strings.Repeat("x", 100), "200"},
		{"a body that does not", "Content-Length: 101\r\n\r\n" + strings.Repeat("x", 101), "413"},
		{"a body in chunks that fits", "Transfer-Encoding: chunked\r\n\r\n" + chunk(0) + "0\r\n\r\n", "200"},
		{"a body in chunks that does not", "Transfer-Encoding: chunked\r\n\r\n" + chunk(1) + "0\r\n\r\n", "413"},
		{"a body that does not come", "Content-Length: 100\r\n\r\nx", "408"},
		{"a body that is none", "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "POST /sync HTTP/1.1\r\nHost: x\r\n"+c.request)
			status := make([]byte, 12)
			if _, err := io.ReadFull(conn, status); err != nil || string(status[9:]) != c.status {
				t.Errorf("answered with %q, %v; want %s", status, err, c.status)
			}
		})
	}
}

// TestHealthTellsWhatIsMissing: a node that does without something serves all
// the same, and says so.
func TestHealthTellsWhatIsMissing(t *testing.T) {
	a := New(health{state: "ready", degraded: []string{"no database"}}, prometheus.NewRegistry(), http.NotFoundHandler(), counting{}, Options{Hosts: anyHost})
	if w := ask(a, "GET", "/health", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"ready"`) ||
		!strings.Contains(w.Body.String(), `"degraded":["no database"]`) {
		t.Errorf("/health answers %d %s", w.Code, w.Body)
	}
	if w := ask(a, "GET", "/health/ready", ""); w.Code != 200 {
		t.Errorf("/health/ready answers %d", w.Code)
	}
}

// TestHealthTellsTheProblems: a node that cannot keep writes says so, and stays
// ready for reads.
func TestHealthTellsTheProblems(t *testing.T) {
	a := New(health{state: "ready", problems: []string{"the disk is full"}}, prometheus.NewRegistry(), http.NotFoundHandler(), counting{}, Options{Hosts: anyHost})
	if body := ask(a, "GET", "/health", "").Body.String(); !strings.Contains(body, `"healthy":false,"problems":["the disk is full"]}`) {
		t.Errorf("/health answers %s", body)
	}
	if w := ask(a, "GET", "/health/ready", ""); w.Code != 200 {
		t.Errorf("/health/ready answers %d", w.Code)
	}
}
