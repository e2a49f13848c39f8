package process

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestTokensDecideWhoConnects runs the program with a shared secret and with a
// public key: a good token is let in once, another is refused and the connection
// closed, and a device is recognised after a restart.
func TestTokensDecideWhoConnects(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	const secret = "a secret that is long enough to pass"
	tests := []struct {
		name, secret string
		good, bad    string
	}{
		{"HS256", secret, peer.HS256(secret, time.Now(), nil), peer.HS256("another", time.Now(), nil)},
		{"RS256", public, peer.RS256(key, time.Now(), nil), peer.HS256(public, time.Now(), nil)},
		{"RS256 in one line", strings.ReplaceAll(public, "\n", `\n`), peer.RS256(key, time.Now(), nil), peer.HS256(secret, time.Now(), nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := launch{
				args: []string{"serve", "--port", "0", "--host", "localhost", "--data-dir", filepath.Join(t.TempDir(), "data")},
				env:  []string{"JWT_SECRET=" + tt.secret},
			}
			p := l.start(t)
			first := letIn(t, p.Port, tt.good, "")
			if first.DeviceID == "" || !strings.HasPrefix(first.DeviceToken, first.DeviceID+".") {
				t.Fatalf("the device is %+v", first)
			}
			c := peer.New(t, p.Port)
			peer.Only[*wire.AuthRequired](c)
			c.Send(&wire.Auth{Token: tt.bad})
			if code, said := c.Closed(); code != wire.CloseUnauthorized || peer.Names(said) != "[AUTH_FAIL]" {
				t.Errorf("a bad token: closed with %d after %s", code, peer.Names(said))
			}
			p.kill()

			p = l.start(t)
			again := letIn(t, p.Port, tt.good, first.DeviceToken)
			if again.DeviceID != first.DeviceID || again.DeviceToken != "" {
				t.Errorf("after a restart the device is %+v, it was %+v", again, first)
			}
			p.stop()
			if contains(p.Stderr(), secret) {
				t.Error("the secret is in the log")
			}
		})
	}
}

// letIn authenticates twice, as clients do, and returns the one answer.
func letIn(t *testing.T, port, token, device string) *wire.AuthAck {
	t.Helper()
	c := peer.New(t, port)
	defer c.Drop()
	peer.Only[*wire.AuthRequired](c)
	auth := &wire.Auth{Token: token, DeviceToken: device}
	c.Send(auth, auth)
	ack := peer.Only[*wire.AuthAck](c)
	if ack.UserID != "ann" {
		t.Errorf("the user is %q", ack.UserID)
	}
	c.Silent()
	return ack
}
