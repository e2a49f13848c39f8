package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/auth"
)

// counting is a source of bytes that never repeats.
type counting struct{ n byte }

func (c *counting) Fill(b []byte) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
}

func newService(t *testing.T, w *gridtest.World, tokens auth.Tokens) *auth.Service {
	t.Helper()
	s, err := auth.New(w.Engine, w.Clock, &counting{}, tokens)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTokens is the table of who is let in.
func TestTokens(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	shared := auth.Tokens{Secret: "a shared secret"}
	byKey := auth.Tokens{Secret: public}
	named := auth.Tokens{Secret: shared.Secret, Issuer: "us", Audience: "them"}
	w := gridtest.Open(t, gridtest.Options{Null: true})
	now := w.Clock.Now()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "ann", "exp": now.Add(time.Hour).Unix()}
		if change != nil {
			change(c)
		}
		return c
	}
	hs := func(change func(jwt.MapClaims)) string {
		return sign(t, jwt.SigningMethodHS256, []byte(shared.Secret), claims(change))
	}
	good := hs(nil)
	body := strings.Split(good, ".")
	for _, c := range []struct {
		name   string
		tokens auth.Tokens
		token  string
		in     bool
	}{
		{"a good one", shared, good, true},
		{"none", shared, "", false},
		{"no token", shared, "hello", false},
		{"without its signature", shared, body[0] + "." + body[1] + ".", false},
		{"with another body", shared, body[0] + "." + strings.Split(hs(func(c jwt.MapClaims) { c["sub"] = "bob" }), ".")[1] + "." + body[2], false},
		{"by another secret", shared, sign(t, jwt.SigningMethodHS256, []byte("another"), claims(nil)), false},
		{"unsigned", shared, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), false},
		{"by another method", shared, sign(t, jwt.SigningMethodHS512, []byte(shared.Secret), claims(nil)), false},
		{"by a key, where a secret is shared", shared, sign(t, jwt.SigningMethodRS256, private, claims(nil)), false},
		{"that has just expired", shared, hs(func(c jwt.MapClaims) { c["exp"] = now.Add(-59 * time.Second).Unix() }), true},
		{"that has expired", shared, hs(func(c jwt.MapClaims) { c["exp"] = now.Add(-61 * time.Second).Unix() }), false},
		{"that never expires", shared, hs(func(c jwt.MapClaims) { delete(c, "exp") }), false},
		{"that is not valid yet", shared, hs(func(c jwt.MapClaims) { c["nbf"] = now.Add(61 * time.Second).Unix() }), false},
		{"of nobody", shared, hs(func(c jwt.MapClaims) { delete(c, "sub") }), false},
		{"of the empty name", shared, hs(func(c jwt.MapClaims) { c["sub"] = "" }), false},
		{"by the key", byKey, sign(t, jwt.SigningMethodRS256, private, claims(nil)), true},
		{"by the key, written in one line", auth.Tokens{Secret: strings.ReplaceAll(public, "\n", `\n`)}, sign(t, jwt.SigningMethodRS256, private, claims(nil)), true},
		{"by the public key as a secret", byKey, sign(t, jwt.SigningMethodHS256, []byte(public), claims(nil)), false},
		{"by the key and another method", byKey, sign(t, jwt.SigningMethodRS512, private, claims(nil)), false},
		{"for us", named, hs(func(c jwt.MapClaims) { c["iss"], c["aud"] = "us", "them" }), true},
		{"for many", named, hs(func(c jwt.MapClaims) { c["iss"], c["aud"] = "us", []string{"others", "them"} }), true},
		{"by another issuer", named, hs(func(c jwt.MapClaims) { c["iss"], c["aud"] = "they", "them" }), false},
		{"for others", named, hs(func(c jwt.MapClaims) { c["iss"], c["aud"] = "us", "others" }), false},
		{"by and for nobody", named, good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t, w, c.tokens)
			p, err := s.Authenticate(c.token)
			if (err == nil) != c.in || (p.ID == "ann") != c.in {
				t.Errorf("%+v, %v", p, err)
			}
			if !s.Required() {
				t.Error("nobody has to authenticate")
			}
		})
	}
	s := newService(t, w, shared)
	if p, err := s.Authenticate(hs(func(c jwt.MapClaims) { c["roles"] = []string{"a", "b"} })); err != nil || strings.Join(p.Roles, " ") != "a b" {
		t.Errorf("with roles: %+v, %v", p, err)
	}
	if _, err := s.Authenticate(hs(func(c jwt.MapClaims) { delete(c, "sub") })); !errors.Is(err, auth.ErrNoSubject) {
		t.Errorf("of nobody: %v", err)
	}
	open := newService(t, w, auth.Tokens{})
	if p, err := open.Authenticate("whatever"); open.Required() || err != nil || p.ID != "" {
		t.Errorf("without a secret: %+v, %v", p, err)
	}
	if _, err := auth.New(w.Engine, w.Clock, &counting{}, auth.Tokens{Secret: "-----BEGIN PUBLIC KEY-----\nnone"}); err == nil {
		t.Error("half a key is taken for a secret")
	}
}

// device asks for a device and returns what came of it.
func device(t *testing.T, w *gridtest.World, s *auth.Service, principal, token string) service.Device {
	t.Helper()
	var got service.Device
	answers := 0
	s.Device(principal, token, func(d service.Device) { got, answers = d, answers+1 })
	w.Settle()
	if answers != 1 {
		t.Fatalf("answered %d times", answers)
	}
	return got
}

// TestDevices is the table of who is recognised: who holds the secret of the
// device, as the same principal; anybody else is a device of his own.
func TestDevices(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	s := newService(t, w, auth.Tokens{})
	first := device(t, w, s, "ann", "")
	if first.ID == "" || !strings.HasPrefix(first.Token, first.ID+".") || len(first.Token) != len(first.ID)+1+64 {
		t.Fatalf("a first device: %+v", first)
	}
	if first.ID[14] != '4' || !strings.ContainsRune("89ab", rune(first.ID[19])) {
		t.Errorf("%s is no version 4 UUID", first.ID)
	}
	other := first.Token[:len(first.Token)-1] + "x"
	if strings.HasSuffix(first.Token, "x") {
		other = first.Token[:len(first.Token)-1] + "y"
	}
	for _, c := range []struct {
		name, principal, token string
		known                  bool
	}{
		{"with its token", "ann", first.Token, true},
		{"with its token again", "ann", first.Token, true},
		{"as somebody else", "bob", first.Token, false},
		{"as nobody", "", first.Token, false},
		{"with another secret", "ann", other, false},
		{"with half a secret", "ann", first.Token[:50], false},
		{"with its id alone", "ann", first.ID, false},
		{"with an id that is none", "ann", "x" + first.Token, false},
		{"with its id in large letters", "ann", strings.ToUpper(first.ID) + first.Token[36:], false},
	} {
		d := device(t, w, s, c.principal, c.token)
		if known := d.ID == first.ID && d.Token == ""; known != c.known {
			t.Errorf("%s: %+v", c.name, d)
		}
		if !c.known && (d.ID == "" || d.Token == "" || d.ID == first.ID) {
			t.Errorf("%s: no device of its own: %+v", c.name, d)
		}
	}
}

// TestDevicesSurviveARestart is DEVICE-DURABLE: a device is announced only when
// it is on disk, it is known after a power cut, and nothing that is kept holds
// its secret.
func TestDevicesSurviveARestart(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	s := newService(t, w, auth.Tokens{})
	announced := 0
	s.Device("ann", "", func(service.Device) { announced++ })
	w.StepActors()
	if announced != 0 {
		t.Fatal("announced before it is on disk")
	}
	w.Settle()
	d := device(t, w, s, "ann", "")
	secret := d.Token[len(d.ID)+1:]
	state, ok := w.Read(t, auth.DeviceMap, "ann/"+d.ID)
	rec, err := crdt.ParseLWW(state)
	if !ok || err != nil || len(rec.Value) != 34 {
		t.Fatalf("kept are %d bytes, %t, %v", len(rec.Value), ok, err)
	}
	if strings.Contains(state, secret) {
		t.Error("the secret is kept")
	}
	next, err := w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := device(t, next, newService(t, next, auth.Tokens{}), "ann", d.Token); got.ID != d.ID || got.Token != "" {
		t.Errorf("after a power cut: %+v, was %s", got, d.ID)
	}
}

// TestADeviceThatCannotBeHad: neither made nor looked up, and nobody is taken for
// somebody else.
func TestADeviceThatCannotBeHad(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	s := newService(t, w, auth.Tokens{})
	d := device(t, w, s, "ann", "")
	for name, token := range map[string]string{"made": "", "looked up": d.Token} {
		var got *service.Device
		for i := range 40 { // so that every lane has something to lose
			w.Do(1, gridtest.Put("notes", string(rune('a'+i)), gridtest.Int(1), gridtest.At(int64(i), "x")))
		}
		s.Device("ann", token, func(d service.Device) { got = &d })
		w.StepActors()
		w.FailSyncs(1)
		w.Settle()
		if got == nil || *got != (service.Device{}) {
			t.Errorf("%s while the disk fails: %+v", name, got)
		}
	}
}
