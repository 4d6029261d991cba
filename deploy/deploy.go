// Package deploy holds what installs Octopus on machines: install scripts and the systemd unit.
//
// The scripts download URL/dist/octopus-<os>-<arch>[.exe] and check it against URL/dist/SHA256SUMS, which is in
// the format of sha256sum. The server serves both.
package deploy

import (
	"embed"
	"strings"
)

//go:embed install.sh install.ps1 octopus-agent.service
var files embed.FS

// InstallSh is the POSIX shell script that installs an agent, for a server at url (no slash at the end).
func InstallSh(url string) []byte { return script("install.sh", url) }

// InstallPs1 is the PowerShell script that installs an agent as a Windows service.
func InstallPs1(url string) []byte { return script("install.ps1", url) }

// Unit is the systemd unit of an agent, whose ExecStart is argv: program and arguments.
func Unit(argv ...string) string {
	raw, _ := files.ReadFile("octopus-agent.service") // embedded: never fails
	return strings.ReplaceAll(string(raw), "@EXEC@", strings.Join(argv, " "))
}

func script(name, url string) []byte {
	raw, _ := files.ReadFile(name)
	out := strings.ReplaceAll(string(raw), "@URL@", url)
	return []byte(strings.ReplaceAll(out, "@UNIT@", Unit("/usr/local/bin/octopus", "agent", "@ARGS@")))
}
