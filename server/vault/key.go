package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"octopus/internal/octopus"
)

const keySize = 32 // bytes: AES-256

// format is the first byte of what is sealed, and part of what is authenticated.
const format = 1

// key seals and opens.
type key struct {
	id   string // from the key itself, so that a file cannot name another
	raw  []byte
	aead cipher.AEAD
}

// newKey makes a key of random bytes.
func newKey() key {
	raw := make([]byte, keySize)
	rand.Read(raw) // never fails
	return keyOf(raw)
}

// keyOf is the key with these 32 bytes.
func keyOf(raw []byte) key {
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic("vault: a key of the wrong size") // callers check it
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("vault: no GCM") // it exists for every AES
	}
	sum := sha256.Sum256(append([]byte("octopus key id\x00"), raw...))
	return key{id: "key_" + hex.EncodeToString(sum[:8]), raw: raw, aead: aead}
}

// seal binds a value to a name. A nonce is 96 random bits: a key may seal 2^32 values before two are likely alike.
func (k key) seal(name string, value []byte) octopus.Sealed {
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	out := append([]byte{format}, nonce...)
	return octopus.Sealed{KeyID: k.id, Data: k.aead.Seal(out, nonce, value, k.bound(name))}
}

// open is the reverse; false where anything of it is not as it was.
func (k key) open(name string, sealed []byte) ([]byte, bool) {
	n := k.aead.NonceSize()
	if len(sealed) < 1+n || sealed[0] != format {
		return nil, false
	}
	value, err := k.aead.Open(nil, sealed[1:1+n], sealed[1+n:], k.bound(name))
	return value, err == nil
}

// bound is what is authenticated beside the value.
func (k key) bound(name string) []byte { return append([]byte{format}, "octopus "+name...) }
