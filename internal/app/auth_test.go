package app

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

const secret = "a secret that is long enough for the tests"

// guarded are the variables of a server that wants tokens.
func guarded(env ...string) []string {
	return append([]string{"TOPGUN_NO_AUTH=0", "JWT_SECRET=" + secret}, env...)
}

// good is a token that such a server takes.
func good() string { return peer.HS256(secret, time.Now(), nil) }

// TestNothingIsAnsweredBeforeAuthentication sends every message of a client, and
// frames that are none, to a server that wants a token: all are dropped and
// counted, the connection is kept, and after AUTH it works.
func TestNothingIsAnsweredBeforeAuthentication(t *testing.T) {
	s := startServer(t, guarded()...)
	p := s.dial()
	peer.Only[*wire.AuthRequired](p)
	sent := 0.0
	for _, r := range requests() {
		if r.message.Type() != wire.TypeAuth {
			p.Send(r.message)
			sent++
		}
	}
	sent-- // a BATCH of nothing holds nothing that could be dropped
	bad := [][]byte{
		{},
		{0xc1},
		nested(300), frame("DANCE", nil), frame("QUERY_SUB", nil),
		wire.Append(nil, &wire.Batch{Data: []byte{1}}),
		wire.AppendBatch(nil, wire.AppendBatch(nil)),
		wire.AppendBatch(nil, wire.Append(nil, &wire.Ping{Timestamp: 1})),
	}
	p.SendBytes(bad...)
	sent += float64(len(bad))
	p.Send(&wire.Auth{Token: good()})
	if ack := peer.Only[*wire.AuthAck](p); ack.UserID != "ann" {
		t.Errorf("the answer is %+v", ack)
	}
	p.Silent()
	if n := s.frames("unauthenticated"); n != sent {
		t.Errorf("%v frames are counted as unauthenticated, %v were sent", n, sent)
	}
	if got := rows(p, "m"); len(got) != 0 {
		t.Errorf("what was sent before authentication was carried out: %v", got)
	}
}

// TestSecondAuthIsIgnored: an AUTH_ACK makes a client send everything again.
func TestSecondAuthIsIgnored(t *testing.T) {
	s := startServer(t, guarded()...)
	p := s.dial()
	peer.Only[*wire.AuthRequired](p)
	p.Send(&wire.Auth{Token: good()}, &wire.Auth{Token: good()}, &wire.Auth{Token: "wrong"}, &wire.DeviceHello{})
	peer.Only[*wire.AuthAck](p)
	p.Silent()
}

// TestTokens: which ones are let in. What is wrong with a token is not told.
func TestTokens(t *testing.T) {
	now := time.Now()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "ann", "exp": now.Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	named := peer.Claims{"iss": "us", "aud": []string{"others", "them"}}
	tests := []struct {
		name  string
		token string
		env   []string
		in    bool
	}{
		{"good", good(), nil, true},
		{"with roles", peer.HS256(secret, now, peer.Claims{"roles": []string{"admin"}}), nil, true},
		{"expired within the leeway", peer.HS256(secret, now, peer.Claims{"exp": now.Add(-30 * time.Second).Unix()}), nil, true},
		{"expired", peer.HS256(secret, now, peer.Claims{"exp": now.Add(-90 * time.Second).Unix()}), nil, false},
		{"without an end", peer.HS256(secret, now, peer.Claims{"exp": nil}), nil, false},
		{"without a subject", peer.HS256(secret, now, peer.Claims{"sub": nil}), nil, false},
		{"with an empty subject", peer.HS256(secret, now, peer.Claims{"sub": ""}), nil, false},
		{"signed with another secret", peer.HS256(secret+"!", now, nil), nil, false},
		{"not signed", none, nil, false},
		{"signed by another method", peer.RS256(key, now, nil), nil, false},
		{"no token at all", "", nil, false},
		{"no token but a text", strings.Repeat("x.", 100), nil, false},
		{"of the right issuer for the right audience", peer.HS256(secret, now, named), []string{"TOPGUN_JWT_ISSUER=us", "TOPGUN_JWT_AUDIENCE=them"}, true},
		{"of another issuer", peer.HS256(secret, now, named), []string{"TOPGUN_JWT_ISSUER=them"}, false},
		{"for another audience", peer.HS256(secret, now, named), []string{"TOPGUN_JWT_AUDIENCE=us"}, false},
		{"of no issuer where one is required", good(), []string{"TOPGUN_JWT_ISSUER=us"}, false},
		{"for no audience where one is required", good(), []string{"TOPGUN_JWT_AUDIENCE=us"}, false},
	}
	plain := startServer(t, guarded()...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := plain
			if tt.env != nil {
				s = startServer(t, guarded(tt.env...)...)
			}
			failures := s.metric("topgun_session_auth_failures_total")
			p := peer.New(t, s.port)
			peer.Only[*wire.AuthRequired](p)
			p.Send(&wire.Auth{Token: tt.token})
			if tt.in {
				if ack := peer.Only[*wire.AuthAck](p); ack.UserID != "ann" {
					t.Errorf("the user is %q", ack.UserID)
				}
				return
			}
			code, said := p.Closed()
			if code != wire.CloseUnauthorized || len(said) != 1 {
				t.Fatalf("closed with %d after %s", code, peer.Names(said))
			}
			if f, ok := said[0].(*wire.AuthFail); !ok || f.Error != "Authentication failed" || f.Code != 401 {
				t.Errorf("told %+v", said[0])
			}
			if n := s.metric("topgun_session_auth_failures_total") - failures; n != 1 {
				t.Errorf("%v failures are counted", n)
			}
		})
	}
}

// TestHandshakeTimeout: who does not authenticate in time is closed with 4004;
// who has is not.
func TestHandshakeTimeout(t *testing.T) {
	s := startServer(t, guarded("TOPGUN_HANDSHAKE_TIMEOUT=200ms")...)
	in, silent, talking := s.dial(), s.dial(), s.dial()
	in.Send(&wire.Auth{Token: good()})
	talking.Send(&wire.Ping{Timestamp: 1}, &wire.DeviceHello{})
	for _, p := range []*peer.Peer{silent, talking} {
		if code, said := p.Closed(); code != wire.CloseHandshakeTimeout || peer.Names(said) != "[AUTH_REQUIRED]" {
			t.Errorf("closed with %d after %s", code, peer.Names(said))
		}
	}
	peer.Expect[*wire.AuthAck](in)
	in.Silent()
}

// TestWithoutAuthentication: nothing has to be asked for, and who presents
// himself is answered first and once, by whichever message.
func TestWithoutAuthentication(t *testing.T) {
	s := startServer(t)
	tests := []struct {
		name string
		send []wire.Message
		want string
	}{
		{"nothing is said first", nil, "[]"},
		{"DEVICE_HELLO", []wire.Message{&wire.DeviceHello{}, &wire.DeviceHello{}}, "[DEVICE_ACK]"},
		{"AUTH of a client with a token", []wire.Message{&wire.Auth{Token: "of another server"}, &wire.Auth{Token: "x"}}, "[AUTH_ACK]"},
		{"DEVICE_HELLO before everything else", []wire.Message{&wire.DeviceHello{}, &wire.QuerySub{QueryID: "q", MapName: "m"}}, "[DEVICE_ACK QUERY_RESP]"},
		{"AUTH behind other messages", []wire.Message{&wire.PartitionMapRequest{}, &wire.Auth{Token: "x"}}, "[PARTITION_MAP AUTH_ACK]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := peer.New(t, s.port)
			p.Send(tt.send...)
			var got []wire.Message
			for range strings.FieldsSeq(strings.Trim(tt.want, "[]")) {
				got = append(got, p.Next())
			}
			got = append(got, p.UntilPong()...)
			if peer.Names(got) != tt.want {
				t.Errorf("told %s, expected %s", peer.Names(got), tt.want)
			}
		})
	}
}

// TestDevices: a device is recognised by its token over connections and
// restarts, and only as the same principal's; what is not recognised gets
// another one and is let in all the same.
func TestDevices(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir, guarded()...)
	hello := func(subject, token string) *wire.AuthAck {
		t.Helper()
		p := peer.New(t, s.port)
		defer p.Drop()
		p.Send(&wire.Auth{Token: peer.HS256(secret, time.Now(), peer.Claims{"sub": subject}), DeviceToken: token})
		return peer.Expect[*wire.AuthAck](p)
	}
	first := hello("ann", "")
	if first.DeviceID == "" || !strings.HasPrefix(first.DeviceToken, first.DeviceID+".") {
		t.Fatalf("the first device is %+v", first)
	}
	secretPart := first.DeviceToken[len(first.DeviceID)+1:]
	forged := first.DeviceID + "." + strings.Repeat("0", len(secretPart))
	for name, tt := range map[string]struct {
		subject, token string
		same           bool
	}{
		"the token":                      {"ann", first.DeviceToken, true},
		"no token":                       {"ann", "", false},
		"another secret":                 {"ann", forged, false},
		"the token of somebody else":     {"bob", first.DeviceToken, false},
		"something that is no token":     {"ann", "device", false},
		"a token that is cut":            {"ann", first.DeviceToken[:len(first.DeviceToken)-1], false},
		"a token of an unknown device":   {"ann", "00000000-0000-4000-8000-000000000000." + secretPart, false},
		"a device id in capital letters": {"ann", strings.ToUpper(first.DeviceID) + "." + secretPart, strings.ToUpper(first.DeviceID) == first.DeviceID},
	} {
		ack := hello(tt.subject, tt.token)
		if same := ack.DeviceID == first.DeviceID && ack.DeviceToken == ""; same != tt.same {
			t.Errorf("%s: the device is %+v, the first was %s", name, ack, first.DeviceID)
		}
	}
	s.stop()
	s = startServerIn(t, dir, guarded()...)
	if again := hello("ann", first.DeviceToken); again.DeviceID != first.DeviceID || again.DeviceToken != "" {
		t.Errorf("after a restart the device is %+v, it was %s", again, first.DeviceID)
	}
	s.stop()
	raw, err := hex.DecodeString(secretPart)
	if err != nil {
		t.Fatal(err)
	}
	sum, found := sha256.Sum256([]byte(secretPart)), false
	eachFile(t, dir, func(name string, data []byte) {
		if bytes.Contains(data, []byte(secretPart)) || bytes.Contains(data, raw) {
			t.Errorf("%s holds the secret of a device", name)
		}
		found = found || bytes.Contains(data, sum[:])
	})
	if !found {
		t.Error("the hash of the secret is in no file: the search would not have found the secret either")
	}
}

// eachFile reads all files below a directory.
func eachFile(t *testing.T, dir string, fn func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		fn(name, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRefusedClientIsGone: a client that was refused cannot go on, and
// others do not notice.
func TestRefusedClientIsGone(t *testing.T) {
	s := startServer(t, guarded()...)
	other := s.dial()
	other.Send(&wire.Auth{Token: good()})
	peer.Expect[*wire.AuthAck](other)
	p := s.dial()
	p.Send(&wire.Auth{Token: "wrong"}, peer.Batch(peer.Put("1", "m", "k", 1, at(1))), &wire.Auth{Token: good()})
	if code, said := p.Closed(); code != wire.CloseUnauthorized || peer.Names(said) != "[AUTH_REQUIRED AUTH_FAIL]" {
		t.Errorf("closed with %d after %s", code, peer.Names(said))
	}
	if got := rows(other, "m"); len(got) != 0 {
		t.Errorf("a refused client has written %v", got)
	}
}

// TestDeviceIsToldFirst: a client takes whatever comes before its DEVICE_ACK for
// a sign that there will be none, so even the refusal of a frame waits for it.
func TestDeviceIsToldFirst(t *testing.T) {
	s := startServer(t)
	for range 20 {
		p := s.dial()
		p.SendBytes(wire.Append(nil, &wire.DeviceHello{}), frame("DANCE", nil), []byte{0xc1})
		for _, want := range []wire.Type{wire.TypeDeviceAck, wire.TypeError, wire.TypeError} {
			if got := p.Next().Type(); got != want {
				t.Fatalf("told %s, expected %s", got, want)
			}
		}
		p.Drop()
	}
}
