package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
)

// leeway is how far the clocks of the issuer and of this server may differ.
const leeway = 60 * time.Second

// Tokens says which tokens are good.
type Tokens struct {
	// Secret is a shared secret (HS256) or an RSA public key in PEM (RS256), in
	// which the two characters \n may stand for a line break. Empty means that
	// nobody has to authenticate.
	Secret string

	// Issuer and Audience are required of a token when not empty.
	Issuer, Audience string
}

// ErrNoSubject is returned for a token that does not say who it is for.
var ErrNoSubject = errors.New("auth: the token has no subject")

// verifier checks tokens.
type verifier struct {
	key    any
	parser *jwt.Parser
}

func newVerifier(t Tokens, clk clock.Clock) (*verifier, error) {
	options := []jwt.ParserOption{
		jwt.WithLeeway(leeway), jwt.WithExpirationRequired(), jwt.WithTimeFunc(clk.Now),
	}
	if t.Issuer != "" {
		options = append(options, jwt.WithIssuer(t.Issuer))
	}
	if t.Audience != "" {
		options = append(options, jwt.WithAudience(t.Audience))
	}
	secret := strings.ReplaceAll(t.Secret, `\n`, "\n")
	if !strings.Contains(secret, "-----BEGIN") {
		options = append(options, jwt.WithValidMethods([]string{"HS256"}))
		return &verifier{[]byte(t.Secret), jwt.NewParser(options...)}, nil
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(secret))
	if err != nil {
		return nil, fmt.Errorf("read the RSA public key: %w", err)
	}
	options = append(options, jwt.WithValidMethods([]string{"RS256"}))
	return &verifier{key, jwt.NewParser(options...)}, nil
}

// claims are what is read of a token.
type claims struct {
	jwt.RegisteredClaims

	Roles []string `json:"roles"`
}

func (v *verifier) verify(token string) (policy.Principal, error) {
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return v.key, nil })
	if err != nil {
		return policy.Principal{}, fmt.Errorf("auth: %w", err)
	}
	if c.Subject == "" {
		return policy.Principal{}, ErrNoSubject
	}
	return policy.Principal{ID: c.Subject, Roles: c.Roles}, nil
}
