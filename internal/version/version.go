// Package version says which build of Octopus this is.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// Version is the release, set by the Makefile through the linker. Commit is the revision it was built from, "+" where
// files had changed: what the Makefile said, else what the Go tool recorded, or "".
var (
	Version = "0.1.0-dev"
	Commit  = cmp.Or(stamp, commit())
)

// stamp is set by the Makefile through the linker.
var stamp string

// String is what `octopus version` prints: release, commit, Go release and platform.
func String() string {
	text := "octopus " + Version
	if Commit != "" {
		text += " (" + Commit + ")"
	}
	return text + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// commit reads what `go build` recorded of the version control, in the same form.
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
