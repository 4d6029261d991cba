// Package version says which build of Octopus this is.
package version

import (
	"runtime"
	"runtime/debug"
)

// Version is the release, set by the Makefile through the linker. Commit is the revision it was built from; without
// the linker's word it is what the Go tool recorded, or "" where it recorded nothing.
var (
	Version = "0.1.0-dev"
	Commit  = commit()
)

// String is what `octopus version` prints: release, commit, Go release and platform.
func String() string {
	text := "octopus " + Version
	if Commit != "" {
		text += " (" + Commit + ")"
	}
	return text + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// commit reads what `go build` recorded of the version control: twelve digits, and "+" where files had changed.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}
