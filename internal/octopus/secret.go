package octopus

import "time"

// Secret is a value that plugins may use where a grant binds it. What people see of it is everything but the value.
type Secret struct {
	Name       string // unique; see ValidPlainName
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string
	LastUsed   time.Time // zero: never
	LastUsedBy string    // plugin
	Sealed     Sealed
}

// Sealed is a value that only the holder of a key can read.
type Sealed struct {
	KeyID string
	Data  []byte
}

// UserParams are one category of a user's parameters, a JSON object once opened.
type UserParams struct {
	UserID    string
	Category  string
	UpdatedAt time.Time
	Sealed    Sealed
}

// maxPlainName is the longest name of a secret or category, in bytes.
const maxPlainName = 128

// ValidPlainName reports whether s can name a secret or a category of parameters: 1 to 128 letters, digits, dots,
// dashes and underscores, the first of them no dot or dash. It is what a manifest may ask for.
func ValidPlainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
		if !word && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return s != "" && len(s) <= maxPlainName
}
