// Package deploy holds what installs Octopus on machines: install scripts and the systemd unit.
//
// The scripts download URL/dist/octopus-<os>-<arch>[.exe] and check it against URL/dist/SHA256SUMS, which is in
// the format of sha256sum. The server serves both.
package deploy

import (
	"embed"
	"strings"

	"octopus/internal/octopus"
)

//go:embed install.sh install.ps1 octopus-agent.service
var files embed.FS

// InstallSh is the POSIX shell script that installs an agent, for a server at url (no slash at the end).
func InstallSh(url string) []byte {
	unit := fill("octopus-agent.service", "@STATE@", state, "@TOKEN@", token) // @EXEC@ is filled by the script
	return []byte(fill("install.sh", "@URL@", quoteSh(url), "@UNIT@", strings.TrimSpace(unit)))
}

// InstallPs1 is the PowerShell script that installs an agent as a Windows service.
func InstallPs1(url string) []byte {
	return []byte(fill("install.ps1", "@URL@", strings.ReplaceAll(url, "'", "''")))
}

// Where the service keeps its data (below /var/lib) and where its join token lies, unless told otherwise.
const (
	state = "octopus-agent"
	token = "/etc/octopus-agent/token"
)

// UnitConfig is what a systemd unit of an agent starts with.
type UnitConfig struct {
	// Argv is the program and its arguments, without --data and --token-file.
	Argv []string
	// Data is a folder below /var/lib. Defaults to /var/lib/octopus-agent.
	Data string
	// TokenFile holds the join token. Defaults to /etc/octopus-agent/token.
	TokenFile string
}

// Unit is the systemd unit of an agent.
func Unit(c UnitConfig) (string, error) {
	folder := state
	if c.Data != "" {
		var below bool
		folder, below = strings.CutPrefix(strings.TrimRight(c.Data, "/"), "/var/lib/")
		if !below || folder == "" || strings.ContainsAny(folder, "/ \t\n%") {
			return "", octopus.Errorf(octopus.CodeInvalid,
				"A service keeps its data in a folder of /var/lib, such as /var/lib/octopus-agent. Leave out --data, or name one there.")
		}
	}
	file := token
	if c.TokenFile != "" {
		file = c.TokenFile
	}
	if strings.ContainsAny(file, " \t\n%:") {
		return "", octopus.Errorf(octopus.CodeInvalid, "The path of the token file must have no spaces, colons or percent signs.")
	}
	words := make([]string, len(c.Argv))
	for i, word := range c.Argv {
		if strings.ContainsAny(word, "\n\r") {
			return "", octopus.Errorf(octopus.CodeInvalid, "An argument of a service must not have line breaks.")
		}
		words[i] = quoteUnit(word)
	}
	exec := strings.Join(words, " ") + ` --token-file ${CREDENTIALS_DIRECTORY}/token`
	return fill("octopus-agent.service", "@EXEC@", exec, "@STATE@", folder, "@TOKEN@", file), nil
}

// quoteUnit writes one word of ExecStart (systemd.service(5), "Command lines").
func quoteUnit(word string) string {
	word = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(word)
	if strings.ContainsAny(word, " \t'\";") || word == "" {
		return `"` + word + `"`
	}
	return word
}

// quoteSh writes text between the single quotes of a shell script.
func quoteSh(text string) string { return strings.ReplaceAll(text, `'`, `'\''`) }

func fill(name string, pairs ...string) string {
	raw, _ := files.ReadFile(name) // embedded: never fails
	return strings.NewReplacer(pairs...).Replace(string(raw))
}
