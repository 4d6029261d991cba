package octopus

import (
	"strings"
	"unicode"
)

// Lengths of names in characters; an agent's is that of a host name.
const (
	maxTaskName  = 128
	maxAgentName = 253
)

// CheckTaskName refuses a name that could not be told from an id, or that would not show as what it is. The error
// is CodeInvalid and names the field.
func CheckTaskName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return InvalidField("/name", "A task needs a name.")
	case len([]rune(name)) > maxTaskName:
		return InvalidField("/name", "A task's name has at most %d characters.", maxTaskName)
	case strings.HasPrefix(name, PrefixTask):
		return InvalidField("/name", "A task's name does not begin with %s: its id does.", PrefixTask)
	case strings.ContainsFunc(name, unseen):
		return InvalidField("/name", "A task's name is one line without control characters.")
	}
	return nil
}

// CheckAgentName is [CheckTaskName] for agents, whose names stand in selectors and addresses.
func CheckAgentName(name string) error {
	spaced := func(r rune) bool { return unicode.IsSpace(r) || unseen(r) || r == '/' || r == '\\' }
	switch {
	case name == "":
		return InvalidField("/name", "An agent needs a name.")
	case len([]rune(name)) > maxAgentName || strings.ContainsFunc(name, spaced):
		return InvalidField("/name", "An agent's name has no spaces, slashes or control characters, and at most %d characters.", maxAgentName)
	case strings.HasPrefix(name, PrefixAgent):
		return InvalidField("/name", "An agent's name does not begin with %s: its id does.", PrefixAgent)
	}
	return nil
}

// unseen tells control characters, and those that turn the direction of text: a name must show as what it is.
func unseen(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
