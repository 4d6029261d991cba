package catalog

import (
	"slices"
	"strconv"

	"octopus/internal/octopus"

	"github.com/Masterminds/semver/v3"
)

// Ranges are the ranges that a form may offer for these versions, in their order: "^1" for any 1.x, "~1.2" for any
// 1.2.x, of releases that may run.
func Ranges(versions []octopus.PluginVersion) (out []string) {
	for _, v := range versions {
		number, err := semver.NewVersion(v.Version)
		if err != nil || !Follows(v) {
			continue
		}
		major := strconv.FormatUint(number.Major(), 10)
		for _, r := range []string{"^" + major, "~" + major + "." + strconv.FormatUint(number.Minor(), 10)} {
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}
