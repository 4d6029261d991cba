package views

import "octopus/internal/octopus"

// Grants is the list of what digests may do.
type Grants struct {
	Page
	Here     string // the address, for what leads back
	Search   string
	State    string // that the list is narrowed to
	States   []Link
	Plugins  []Option
	People   []Option
	Narrowed bool // some filter is in force
	Rows     []GrantRow
	Pages    Pages

	Capabilities []Option
}

// GrantRow is a version with its grant.
type GrantRow struct {
	octopus.PluginVersion
	State  octopus.GrantState
	Allows []string // a phrase each
}

// shownPhrases is how much of a grant a row says at once.
const shownPhrases = 4

// said are the phrases that show at once.
func (r GrantRow) said() []string { return r.Allows[:min(len(r.Allows), shownPhrases)] }

// more are the others.
func (r GrantRow) more() []string { return r.Allows[len(r.said()):] }

// grantPillOf is the class, icon and word of a grant's state.
func grantPillOf(s octopus.GrantState) (class, icon, word string) {
	switch s {
	case octopus.GrantInForce:
		return "ok", "shield-check", "in force"
	case octopus.GrantRevoked:
		return "bad", "shield-off", "revoked"
	}
	return "idle", "shield", "older version"
}

// grantRemark says of an older version's grant why it is one.
func grantRemark(r GrantRow) string {
	switch {
	case r.State == octopus.GrantRevoked:
		return ""
	case r.Status == octopus.VersionDisabled, r.Status == octopus.VersionRevoked:
		return "its version is " + string(r.Status)
	case r.Held:
		return "its version is held"
	case r.State == octopus.GrantOlder:
		return "runs only where it is named exactly"
	}
	return ""
}

func revokeQuestion(r GrantRow) string {
	return "Take back what " + r.Plugin + " " + r.Version + " may do? Its tasks are refused until it is granted again."
}
