package auth

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// phcOf hashes a password with the parameters of p.
func phcOf(password string, p phc) string {
	b64 := base64.RawStdEncoding
	key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, keyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(key))
}
