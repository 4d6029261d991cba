package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"octopus/internal/octopus"
)

// Parameters of argon2id: the OWASP Password Storage Cheat Sheet's first choice for servers that must not spend
// 64 MiB on each sign-in (RFC 9106 §4 has the larger ones). Rows with others are hashed again on sign-in.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16
	keyBytes     = 32
)

// Bounds on what a stored hash may ask for: a damaged row must not exhaust memory.
const (
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonTime   = 16
)

// Bounds of a password.
const (
	MinPassword = 10   // characters
	MaxPassword = 1024 // bytes
)

// dummyHash belongs to nobody and no password: it is checked for unknown users, so that they take equal time.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$b2N0b3B1cy1kdW1teS1zYQ$8xXw0dGQfXk7w2yPq1m1xw2m5m0mQeJ0bN2l7m3VYkE"

// maxWaiting is how many password checks may queue for a slot; more are turned away with a Retry-After.
const maxWaiting = 64

// hasher bounds how many password checks run at once: each holds 19 MiB.
type hasher struct {
	slots   chan struct{}
	waiting chan struct{}
}

func newHasher() hasher {
	return hasher{
		slots:   make(chan struct{}, min(runtime.GOMAXPROCS(0), 4)),
		waiting: make(chan struct{}, maxWaiting),
	}
}

// enter takes a slot; the caller calls leave. A full queue is refused at once, so that it cannot grow.
func (h hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		e := octopus.Errorf(octopus.CodeUnavailable, "Too many people sign in at this moment. Try again in a few seconds.")
		e.RetryAfterSeconds = 2
		return nil, e
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the PHC string of a password. The caller holds a slot.
func hash(password string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, keyBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// verify reports whether password belongs to a PHC string, and whether that should be hashed again because its
// parameters are not today's. A string that is not understood matches nothing. The caller holds a slot.
func verify(phc, password string) (ok, outdated bool) {
	p, err := parsePHC(phc)
	if err != nil {
		return false, false
	}
	key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	outdated = p.memory != argonMemory || p.time != argonTime || p.threads != argonThreads
	return subtle.ConstantTimeCompare(key, p.key) == 1, outdated
}

type phc struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func parsePHC(s string) (p phc, err error) {
	bad := func(what string) (phc, error) { return phc{}, fmt.Errorf("password hash: %s", what) }
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return bad("not argon2id")
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("unknown version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return bad("parameters")
	}
	if p.memory < 8 || p.memory > maxArgonMemory || p.time < 1 || p.time > maxArgonTime || p.threads < 1 {
		return bad("parameters out of range")
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(p.salt) < 8 {
		return bad("salt")
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return bad("key")
	}
	return p, nil
}

// checkPassword says what is wrong with a new password; field is where it came from.
func checkPassword(field, username, password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return octopus.InvalidField(field, "The password needs at least %d characters.", MinPassword)
	case len(password) > MaxPassword:
		return octopus.InvalidField(field, "The password may have at most %d bytes.", MaxPassword)
	case strings.EqualFold(password, username):
		return octopus.InvalidField(field, "The password must differ from the user name.")
	}
	return nil
}

// hashNew hashes a new password in a slot of its own.
func (a *Auth) hashNew(ctx context.Context, password string) (string, error) {
	leave, err := a.hashing.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return hash(password), nil
}
