package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"octopus/internal/octopus"
)

// A nonce is 8 bytes of time in microseconds, 16 random bytes and 16 bytes of HMAC-SHA256 over both, in base64url.
// It needs no memory until it is spent, and any server that shares the key can check it.
const (
	nonceTime   = 8
	nonceRandom = 16
	nonceMAC    = 16
	nonceBytes  = nonceTime + nonceRandom + nonceMAC
)

// clockSkew is how far in the future another server's nonce may lie.
const clockSkew = 5 * time.Second

// Nonce makes a nonce for one signed request of an agent. It is valid for [NonceTTL].
func (a *Auth) Nonce() (nonce string, valid time.Duration) {
	raw := make([]byte, nonceTime+nonceRandom, nonceBytes)
	binary.BigEndian.PutUint64(raw, uint64(a.now().UnixMicro()))
	rand.Read(raw[nonceTime:])
	raw = append(raw, mac(a.nonceKey, raw)...)
	return base64.RawURLEncoding.EncodeToString(raw), NonceTTL
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)[:nonceMAC]
}

// checkNonce tells whether a nonce is ours and still valid, and returns its random part.
func (a *Auth) checkNonce(nonce string) (id [nonceRandom]byte, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	// The length of the text too: the decoder, strict or not, passes over line breaks.
	if err != nil || len(raw) != nonceBytes || len(nonce) != base64.RawURLEncoding.EncodedLen(nonceBytes) {
		return id, octopus.Errorf(octopus.CodeUnauthenticated, "The nonce is malformed. Ask /api/v1/agent/nonce for one.")
	}
	body, sum := raw[:nonceTime+nonceRandom], raw[nonceTime+nonceRandom:]
	if subtle.ConstantTimeCompare(sum, mac(a.nonceKey, body)) != 1 {
		return id, octopus.Errorf(octopus.CodeUnauthenticated, "The nonce is not from this server. Ask /api/v1/agent/nonce for one.")
	}
	age := a.now().Sub(time.UnixMicro(int64(binary.BigEndian.Uint64(body))))
	if age > NonceTTL || age < -clockSkew {
		return id, octopus.Errorf(octopus.CodeUnauthenticated, "The nonce is older than %d s. Ask /api/v1/agent/nonce for a new one.", int(NonceTTL/time.Second))
	}
	copy(id[:], body[nonceTime:])
	return id, nil
}

// maxNonces bounds the memory for spent nonces, about 10 MB. When it is full, agents are told to come back:
// forgetting one would let it be replayed.
const maxNonces = 200_000

// nonces remembers the spent ones in two generations, each as long as a nonce can be valid, so that nothing
// needs to be swept.
type nonces struct {
	mu       *sync.Mutex
	gen      *[2]map[[nonceRandom]byte]struct{} // guarded by mu; 0 is the current one
	turnedAt *time.Time                         // guarded by mu
}

func newNonces() nonces {
	return nonces{
		mu:       new(sync.Mutex),
		gen:      &[2]map[[nonceRandom]byte]struct{}{{}, {}},
		turnedAt: new(time.Time),
	}
}

// turn forgets nonces that are no longer valid anyway.
func (n nonces) turn(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.turnLocked(now)
}

func (n nonces) turnLocked(now time.Time) {
	const generation = NonceTTL + clockSkew
	if age := now.Sub(*n.turnedAt); age >= 2*generation {
		n.gen[0], n.gen[1], *n.turnedAt = map[[nonceRandom]byte]struct{}{}, map[[nonceRandom]byte]struct{}{}, now
	} else if age >= generation {
		n.gen[0], n.gen[1], *n.turnedAt = map[[nonceRandom]byte]struct{}{}, n.gen[0], now
	}
}

// spend marks a nonce as used; false when it was already.
func (n nonces) spend(id [nonceRandom]byte, now time.Time) (fresh bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.turnLocked(now)
	for _, g := range n.gen {
		if _, used := g[id]; used {
			return false, nil
		}
	}
	if len(n.gen[0])+len(n.gen[1]) >= maxNonces {
		e := octopus.Errorf(octopus.CodeUnavailable, "Too many agents connect at this moment. Try again in a few seconds.")
		e.RetryAfterSeconds = 5
		return false, e
	}
	n.gen[0][id] = struct{}{}
	return true, nil
}
