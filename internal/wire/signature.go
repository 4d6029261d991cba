package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
)

// HeaderSigned carries a [SignedModule] beside a module's bytes: base64 of its JSON.
const HeaderSigned = "Octopus-Signed"

// HeaderRefused says, in the request for a module that an agent had and would not load, why: one sentence for the
// module's history.
const HeaderRefused = "Octopus-Module-Refused"

// SignedModule is what a server says of a module, and who says so. It binds the bytes to a name and a version, so that
// an old version cannot be passed off as a newer one.
type SignedModule struct {
	Plugin     string      `json:"plugin"`
	Version    string      `json:"version"`
	Digest     string      `json:"digest"`
	Size       int64       `json:"size"`
	Signatures []Signature `json:"signatures,omitempty"`
}

// Signature is Ed25519 by the key whose [KeyID] it names.
type Signature struct {
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// Statement is what is signed.
func (m SignedModule) Statement() []byte {
	return []byte("octopus-module-v1\n" + m.Plugin + "\n" + m.Version + "\n" + m.Digest + "\n" + strconv.FormatInt(m.Size, 10))
}

// Why a module is not taken.
var (
	ErrUnsigned   = errors.New("the server sent no signature with it")
	ErrUnknownKey = errors.New("it is signed by a key that this agent does not know")
	ErrSignature  = errors.New("its signature is wrong")
)

// Verify reports whether one of the keys signed the statement.
func (m SignedModule) Verify(keys []ed25519.PublicKey) error {
	if len(m.Signatures) == 0 {
		return ErrUnsigned
	}
	err := ErrUnknownKey
	for _, s := range m.Signatures {
		i := slices.IndexFunc(keys, func(k ed25519.PublicKey) bool { return KeyID(k) == s.Key })
		switch {
		case i < 0:
		case ed25519.Verify(keys[i], m.Statement(), s.Signature):
			return nil
		default:
			err = ErrSignature
		}
	}
	return err
}

// Header is the module's form in HeaderSigned.
func (m SignedModule) Header() string {
	raw, err := json.Marshal(m)
	if err != nil {
		return "" // strings, numbers and bytes always marshal
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// ParseSigned reads HeaderSigned. What is not there is the zero value.
func ParseSigned(header string) (m SignedModule, err error) {
	if header == "" {
		return m, nil
	}
	raw, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	return m, err
}

// KeyID is how a public key is named: 16 hex digits of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// ServerKey is a public key with which a server signs, or signed, modules. Each but the first was endorsed by one
// before it, so that an agent which was away for long can follow.
type ServerKey struct {
	Key         []byte `json:"key"`
	EndorsedBy  string `json:"endorsed_by,omitempty"` // KeyID
	Endorsement []byte `json:"endorsement,omitempty"` // its signature over [KeyStatement]
	Retired     bool   `json:"retired,omitempty"`     // what it signed is not taken any more
}

// KeyStatement is what one key signs of the next.
func KeyStatement(next ed25519.PublicKey) []byte {
	return append([]byte("octopus-server-key-v1\n"), next...)
}

// Trust follows a server's keys from those that an agent pinned, and returns what it pins from now on: all that are
// not retired and that a chain of endorsements leads to. Without pins it is all that are not retired: trust on first
// use. Where no pinned key is known to the server any more, the pins stay as they are and ok is false.
func Trust(pinned []ed25519.PublicKey, keys []ServerKey) (now []ed25519.PublicKey, ok bool) {
	known := map[string]ed25519.PublicKey{}
	for _, k := range pinned {
		known[KeyID(k)] = k
	}
	for range keys { // a chain is no longer than the list
		for _, k := range keys {
			if len(k.Key) != ed25519.PublicKeySize {
				continue
			}
			by, endorsed := known[k.EndorsedBy]
			if len(pinned) == 0 || endorsed && ed25519.Verify(by, KeyStatement(k.Key), k.Endorsement) {
				known[KeyID(k.Key)] = k.Key
			}
		}
	}
	for _, k := range keys {
		if key, trusted := known[KeyID(k.Key)]; trusted && !k.Retired {
			now = append(now, key)
		}
	}
	if len(now) == 0 {
		return pinned, len(keys) == 0
	}
	return now, true
}
