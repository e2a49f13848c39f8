package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// DeviceMap is the map that holds what is known of devices.
const DeviceMap = records.ReservedPrefix + "devices"

// secretBytes is the length of a device's secret.
const secretBytes = 32

// Service recognises principals and devices.
type Service struct {
	engine   *engine.Engine
	random   clock.Random
	verifier *verifier
	author   change.Author
}

// New makes the service. It fails when the secret looks like a key and is none.
func New(e *engine.Engine, clk clock.Clock, rnd clock.Random, t Tokens) (*Service, error) {
	s := &Service{engine: e, random: rnd, author: change.Author{Origin: change.OriginSystem}}
	if t.Secret == "" {
		return s, nil
	}
	var err error
	s.verifier, err = newVerifier(t, clk)
	return s, err
}

// Required reports whether a session must present a token.
func (s *Service) Required() bool { return s.verifier != nil }

// Authenticate checks a token. The error's text is not for the client.
func (s *Service) Authenticate(token string) (policy.Principal, error) {
	if s.verifier == nil {
		return policy.Principal{}, nil
	}
	return s.verifier.verify(token)
}

// Device recognises the installation that holds token, or makes one. done is
// called once, from any goroutine; a zero device means that none can be had now.
func (s *Service) Device(principal, token string, done func(service.Device)) {
	id, secret, ok := parseToken(token)
	if !ok {
		s.mint(principal, done)
		return
	}
	s.engine.Get(DeviceMap, deviceKey(principal, id), func(state string, _ bool, err error) {
		switch {
		case err != nil:
			done(service.Device{})
		case holds(state, secret):
			s.touch(principal, id, secret, state)
			done(service.Device{ID: id})
		default:
			s.mint(principal, done)
		}
	})
}

// mint makes a device. It is announced only when it will be known again.
func (s *Service) mint(principal string, done func(service.Device)) {
	var raw [16 + secretBytes]byte
	s.random.Fill(raw[:])
	id, err := uuid.FromBytes(raw[:16])
	if err != nil {
		done(service.Device{})
		return
	}
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // RFC 9562 variant
	secret := hex.EncodeToString(raw[16:])
	s.write(principal, id.String(), secret, func(err error) {
		if err != nil {
			done(service.Device{})
			return
		}
		done(service.Device{ID: id.String(), Token: id.String() + "." + secret})
	})
}

// touchEvery is how old the record of a device may be that comes back. Records
// end that nobody writes any more; see option device-retention.
const touchEvery = 24 * time.Hour

// touch renews the record of a device that was seen. Nobody waits for that: one
// that could not be renewed is the next time.
func (s *Service) touch(principal, id, secret, state string) {
	rec, err := crdt.ParseLWW(state)
	if err == nil && s.engine.Clock().Sys()-rec.TS.Millis > touchEvery.Milliseconds() {
		s.write(principal, id, secret, func(error) {})
	}
}

func (s *Service) write(principal, id, secret string, done func(error)) {
	sum := sha256.Sum256([]byte(secret))
	key := deviceKey(principal, id)
	b := &engine.Batch{Until: engine.Durable}
	b.Ops = []records.Op{{
		Verb: change.Put, Kind: change.KindLWW, Map: DeviceMap, Key: key, Hash: hash.Key(key),
		Value: value.AppendBin(nil, sum[:]), TS: s.engine.Clock().Now(), Author: &s.author,
	}}
	b.Done = func(_ *engine.Batch, err error) { done(err) }
	s.engine.Do(b)
}

// deviceKey joins principal and device. A device id has a fixed length, so two
// pairs never give one key.
func deviceKey(principal, device string) string { return principal + "/" + device }

// parseToken splits a device credential.
func parseToken(token string) (id, secret string, ok bool) {
	id, secret, ok = strings.Cut(token, ".")
	if !ok || len(secret) != 2*secretBytes {
		return "", "", false
	}
	parsed, err := uuid.Parse(id)
	return id, secret, err == nil && parsed.String() == id
}

// holds compares a secret with what is kept of it, in constant time.
func holds(state, secret string) bool {
	rec, err := crdt.ParseLWW(state)
	if err != nil {
		return false
	}
	r := value.NewReader(rec.Value)
	kept := r.Bytes()
	sum := sha256.Sum256([]byte(secret))
	return r.Err() == nil && subtle.ConstantTimeCompare(kept, sum[:]) == 1
}
