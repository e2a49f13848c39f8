package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
)

// hidden stands wherever a secret would be printed.
const hidden = "(hidden)"

// pemStart is how a PEM text begins; a shared secret that begins so is not
// supported.
const pemStart = "-----BEGIN"

const (
	shortSecretBytes = 32   // below this an HS256 secret is warned about
	minRSABits       = 2048 // below this an RSA key is refused
)

// Secret is a text that prints as "(hidden)" in every form of formatting and
// logging. The zero value is "no secret".
type Secret struct{ text string }

// Reveal returns the secret itself; never log or wrap the result.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// PEM reports whether the secret is the PEM text of a public key.
func (s Secret) PEM() bool { return strings.HasPrefix(s.text, pemStart) }

// String hides the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders such as JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// newJWTSecret accepts an HS256 secret as it is, and a PEM public key with
// either real line ends or the two characters \n, as environment files have.
func newJWTSecret(text string) (Secret, error) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, pemStart) {
		return Secret{text}, nil
	}
	key := strings.TrimSpace(strings.ReplaceAll(trimmed, `\n`, "\n"))
	return Secret{key}, checkRSA(key)
}

// newDatabaseURL accepts the URL of a database; whether it makes sense is found
// out when it is opened. The complaint does not repeat it.
func newDatabaseURL(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return Secret{}, errRange
	}
	return Secret{text}, nil
}

// checkRSA returns a complaint that does not repeat the key.
func checkRSA(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("the PEM text is damaged")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return errors.New("the PEM text holds a " + strings.ToLower(block.Type) + ", not a public key")
	}
	if err != nil {
		return errors.New("the PEM text does not hold a readable public key")
	}
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return errors.New("the public key is not an RSA key")
	}
	if pub.N.BitLen() < minRSABits {
		return errors.New("the RSA key has fewer than 2048 bits")
	}
	return nil
}
