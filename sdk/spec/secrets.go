package spec

import (
	"fmt"
	"slices"
	"strings"
)

// The form in which a header's value names a secret: "Bearer {{secret:api_token}}".
const (
	secretOpen  = "{{secret:"
	secretClose = "}}"
)

// Stored is the name under which the server keeps the secret: what a grant
// binds it to, or its own.
func (s Secret) Stored() string {
	if s.Bind != "" {
		return s.Bind
	}
	return s.Name
}

// NeededBy says whether an action does not run without the secret. No action is
// any.
func (s Secret) NeededBy(action string) bool {
	return action == "" || len(s.Actions) == 0 || slices.Contains(s.Actions, action)
}

// Secret finds a secret of c by its name.
func (c Capabilities) Secret(name string) (Secret, bool) {
	for _, s := range c.Secrets {
		if s.Name == name {
			return s, true
		}
	}
	return Secret{}, false
}

// HasSecrets says whether a header's value names a secret.
func HasSecrets(header string) bool { return strings.Contains(header, secretOpen) }

// FillSecrets puts secrets into a header's value, in place of
// "{{secret:name}}". What it puts in is not looked at again. It fails where
// value does, and where a placeholder does not end.
func FillSecrets(header string, value func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(header, secretOpen)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, ended := strings.Cut(rest, secretClose)
		if !ended {
			return "", fmt.Errorf("a secret is named as in %sapi_token%s", secretOpen, secretClose)
		}
		v, err := value(name)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		header = after
	}
}
