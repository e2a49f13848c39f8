package topgun_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/topgunbuild/topgun-go/clients/go"
)

const secret = "a secret that is long enough for HS256"

// sign makes a token that is valid for some time.
func sign(t *testing.T, subject string, valid time.Duration) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": subject, "exp": time.Now().Add(valid).Unix()}
	return must(jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret)))(t)
}

func TestATokenIsAskedForAtEachConnection(t *testing.T) {
	s := startServer(t, "JWT_SECRET="+secret)
	p := startProxy(t, s.port)
	asked := make(chan struct{}, 100)
	c := connect(t, p.url(), topgun.WithTokenProvider(func(context.Context) (string, error) {
		asked <- struct{}{}
		return sign(t, "ann", time.Hour), nil
	}))
	device := c.DeviceToken()
	m := topgun.MapOf[int](c, "m")
	written(t, must(m.Set("k", 1))(t), nil)
	p.cut()
	written(t, must(m.Set("k", 2))(t), nil)
	if n := len(asked); n < 2 {
		t.Errorf("asked %d times", n)
	}
	if device == "" || c.DeviceToken() != device {
		t.Error("the device has changed")
	}
}

func TestWhoIsNotLetInIsTold(t *testing.T) {
	s := startServer(t, "JWT_SECRET="+secret)
	broken := errors.New("no token to be had")
	for name, opts := range map[string][]topgun.Option{
		"no token":    nil,
		"no JWT":      {topgun.WithToken("nonsense")},
		"expired":     {topgun.WithToken(sign(t, "ann", -time.Hour))},
		"no provider": {topgun.WithTokenProvider(func(context.Context) (string, error) { return "", broken })},
	} {
		_, err := topgun.Connect(within(t), s.url(), opts...)
		var refused *topgun.AuthError
		if !errors.As(err, &refused) || !errors.Is(err, topgun.ErrUnauthorized) || refused.Reason == "" {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no provider" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABetterTokenLetsTheClientInLater(t *testing.T) {
	s := startServer(t, "JWT_SECRET="+secret)
	tokens := make(chan string, 2)
	tokens <- sign(t, "ann", -time.Hour)
	tokens <- sign(t, "ann", time.Hour)
	reports := make(chan error, 10)
	c := s.connect(topgun.StartOffline(), topgun.WithErrorHandler(func(err error) { reports <- err }),
		topgun.WithTokenProvider(func(context.Context) (string, error) { return <-tokens, nil }))
	w := must(topgun.MapOf[int](c, "m").Set("k", 1))(t)
	if err := <-reports; !errors.Is(err, topgun.ErrUnauthorized) {
		t.Errorf("the handler is told %v", err)
	}
	written(t, w, nil)
}
