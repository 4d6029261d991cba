package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// Prefixes of the secrets that people copy, so that they and secret scanners recognise them.
const (
	tokenPrefix = "oct_"
	joinPrefix  = "join_"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// secretLength gives 43 × log2(62) = 256 bits.
const secretLength = 43

// newSecret returns prefix and 43 random base62 characters.
func newSecret(prefix string) string { return prefix + random(secretLength, base62) }

// random draws n characters of an alphabet of at most 256, each equally likely: bytes beyond the largest
// multiple of its length are thrown away.
func random(n int, alphabet string) string {
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/2)
	for len(out) < n {
		rand.Read(buf) // never fails: crypto/rand aborts the program instead
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// HashSecret is what is stored of a session, an API token or a join token. A fast hash is right here: the
// secrets have 256 random bits, so there is nothing to guess.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// hashKey is the hash as a key of caches and of the meta table.
func hashKey(secret string) string { return hex.EncodeToString(HashSecret(secret)) }
