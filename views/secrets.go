package views

import "octopus/internal/octopus"

// Secrets is the page of the secrets.
type Secrets struct {
	Page
	Rows    []SecretRow
	Name    string // typed
	Errors  map[string]string
	Problem string
}

// SecretRow is a secret and who may use it.
type SecretRow struct {
	Secret octopus.Secret
	Uses   []SecretUse
}

// SecretUse is a plugin version whose grant binds a secret.
type SecretUse struct {
	Plugin, Version, Expose string
}

// Binding says which stored secret is meant by a name that a manifest gives.
type Binding struct {
	Name    string // in the manifest
	Stored  string
	Missing bool     // there is no secret of that name
	Options []Option // the stored secrets
}

// CategoryRow is one category of a user's parameters, as indented JSON.
type CategoryRow struct {
	Category, Text string
}

// secretLoss says what the end of a secret means.
func secretLoss(r SecretRow) string {
	if len(r.Uses) == 0 {
		return "No plugin may use it now."
	}
	return r.Uses[0].Plugin + " and whatever else uses it is refused from then on."
}
