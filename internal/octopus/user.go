package octopus

import (
	"encoding/json"
	"time"
)

// Role says what a user may do. Each role includes the ones before it.
type Role string

// The roles, from the least to the most.
const (
	RoleViewer   Role = "viewer"   // reads
	RoleUser     Role = "user"     // and runs saved tasks
	RoleOperator Role = "operator" // and edits tasks, runs ad hoc, manages agents
	RoleAdmin    Role = "admin"    // and everything else
)

// Roles lists the roles from the least to the most.
var Roles = []Role{RoleViewer, RoleUser, RoleOperator, RoleAdmin}

// Includes reports whether r may do all that other may. An unknown role includes nothing.
func (r Role) Includes(other Role) bool {
	return r.rank() >= other.rank() && r.rank() > 0
}

func (r Role) rank() int {
	for i, known := range Roles {
		if r == known {
			return i + 1
		}
	}
	return 0
}

// User is a person who signs in.
type User struct {
	ID             string
	Username       string // unique, lower case
	Email          string
	DisplayName    string
	Role           Role
	PasswordHash   string // argon2id, PHC string
	Active         bool
	Zone           string          // IANA; "" is UTC
	Theme          string          // "", "light" or "dark"; "" follows the system
	PlainParams    json.RawMessage // parameters in the clear, from a version that did not seal them yet; see [UserParams]
	CreatedAt      time.Time
	LastLogin      time.Time
	FailedAttempts int
	DelayedUntil   time.Time // sign-in is refused until then
}

// Session is a signed-in browser. The cookie holds a secret of which only the hash is stored.
type Session struct {
	ID        string
	Hash      []byte // SHA-256 of the cookie's secret
	UserID    string
	CreatedAt time.Time
	ExpiresAt time.Time
	UserAgent string
	RemoteIP  string
}

// Token lets a program call the REST API as its user, with at most its own role.
type Token struct {
	ID        string
	Name      string
	Hash      []byte // SHA-256 of the secret
	UserID    string
	Role      Role
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time
	RevokedAt time.Time
}
