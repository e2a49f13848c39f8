package peer

import (
	"crypto/rsa"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are what a token says; what is not given is that of a good token of an
// hour.
type Claims map[string]any

func (c Claims) whole(now time.Time) jwt.MapClaims {
	all := jwt.MapClaims{"sub": "ann", "exp": now.Add(time.Hour).Unix()}
	maps.Copy(all, c)
	for name, v := range all {
		if v == nil {
			delete(all, name)
		}
	}
	return all
}

// HS256 is a token signed with a shared secret. A claim that is nil is left out.
func HS256(secret string, now time.Time, c Claims) string {
	return signed(jwt.NewWithClaims(jwt.SigningMethodHS256, c.whole(now)), []byte(secret))
}

// RS256 is a token signed with a private key.
func RS256(key *rsa.PrivateKey, now time.Time, c Claims) string {
	return signed(jwt.NewWithClaims(jwt.SigningMethodRS256, c.whole(now)), key)
}

func signed(t *jwt.Token, key any) string {
	text, err := t.SignedString(key)
	if err != nil {
		panic("peer: " + err.Error()) // the keys are the test's own
	}
	return text
}
