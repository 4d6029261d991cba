package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/cache"

	"github.com/Masterminds/semver/v3"
)

// Resolve picks a version: "" is the newest that is published, "1.2.0" exactly
// that one, anything else a range such as "^1.2". Pre-releases are only found
// by their exact version, deprecated versions only where nothing else fits.
// The error says which plugins or versions there are.
func (c *Catalog) Resolve(ctx context.Context, name, versionRange string) (octopus.PluginVersion, error) {
	p, err := c.plugin(ctx, name)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	if !p.Enabled {
		return octopus.PluginVersion{}, octopus.Errorf(octopus.CodeConflict, "The plugin %s is disabled; an administrator can enable it.", name)
	}
	return pick(p, strings.TrimSpace(versionRange))
}

// plugin reads a plugin with all its versions, through the cache.
func (c *Catalog) plugin(ctx context.Context, name string) (octopus.Plugin, error) {
	p, err := cache.Load(c.cache, cache.Plugins, "plugin:"+name, func() (octopus.Plugin, error) {
		return c.store.Plugin(ctx, name)
	})
	return p, c.suggest(ctx, name, err)
}

func (c *Catalog) exact(ctx context.Context, name, version string) (octopus.PluginVersion, error) {
	p, err := c.plugin(ctx, name)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	for _, v := range p.Versions {
		if v.Version == version {
			return v, nil
		}
	}
	return octopus.PluginVersion{}, noVersion(p, version)
}

func pick(p octopus.Plugin, want string) (octopus.PluginVersion, error) {
	for _, v := range p.Versions {
		if want != "" && v.Version == want {
			return v, usable(v)
		}
	}
	fits, err := constraint(want)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	var best octopus.PluginVersion
	for _, v := range p.Versions {
		number, err := semver.NewVersion(v.Version)
		if err != nil || !fits(number) || usable(v) != nil {
			continue
		}
		if best.Version == "" || better(v, best) {
			best = v
		}
	}
	if best.Version == "" {
		return best, noVersion(p, want)
	}
	return best, nil
}

// constraint returns what a version must fulfil. Without a range any release
// does.
func constraint(want string) (func(*semver.Version) bool, error) {
	if want == "" || want == "latest" {
		return func(v *semver.Version) bool { return v.Prerelease() == "" }, nil
	}
	r, err := semver.NewConstraint(want)
	if err != nil {
		return nil, octopus.InvalidField("/version", `"version" must be a version such as 1.2.0, or a range such as ^1.2.`)
	}
	return r.Check, nil
}

// usable says why a version cannot be run, if so.
func usable(v octopus.PluginVersion) error {
	switch v.Status {
	case octopus.VersionDisabled:
		return octopus.Errorf(octopus.CodeConflict, "%s %s is disabled; an administrator can enable it.", v.Plugin, v.Version)
	case octopus.VersionRevoked:
		return octopus.Errorf(octopus.CodeConflict, "%s %s was revoked; use another version.", v.Plugin, v.Version)
	}
	return nil
}

// better prefers what is not deprecated, then the higher version, then the one
// that was published later: "1.0.0+ab" and "1.0.0" rank the same.
func better(a, b octopus.PluginVersion) bool {
	da, db := a.Status == octopus.VersionDeprecated, b.Status == octopus.VersionDeprecated
	if da != db {
		return db
	}
	if n := compare(a.Version, b.Version); n != 0 {
		return n > 0
	}
	return a.CreatedAt.After(b.CreatedAt)
}

func compare(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return va.Compare(vb)
}

func noVersion(p octopus.Plugin, want string) error {
	var have []string
	for _, v := range p.Versions {
		if usable(v) == nil {
			have = append(have, v.Version)
		}
	}
	slices.SortFunc(have, func(a, b string) int { return compare(b, a) })
	rest := ""
	if len(have) > 5 {
		have, rest = have[:5], " …"
	}
	switch {
	case len(have) == 0:
		return octopus.Errorf(octopus.CodeNotFound, "Every version of %s is disabled or revoked.", p.Name)
	case want == "":
		return octopus.Errorf(octopus.CodeNotFound, "%s has no released version; name one of: %s%s.", p.Name, strings.Join(have, ", "), rest)
	}
	return octopus.Errorf(octopus.CodeNotFound, "%s has no version %s; there is: %s%s.", p.Name, want, strings.Join(have, ", "), rest)
}

// suggest turns "no such plugin" into a sentence with the nearest names.
func (c *Catalog) suggest(ctx context.Context, name string, err error) error {
	if octopus.CodeOf(err) != octopus.CodeNotFound {
		return err
	}
	sentence := fmt.Sprintf("There is no plugin named %q.", name)
	if all, listErr := c.store.Plugins(ctx); listErr == nil {
		names := make([]string, len(all))
		for i, p := range all {
			names[i] = p.Name
		}
		if near := nearest(name, names); len(near) > 0 {
			sentence = fmt.Sprintf("There is no plugin named %q; did you mean %s?", name, strings.Join(near, " or "))
		}
	}
	return octopus.Errorf(octopus.CodeNotFound, "%s", sentence)
}
