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

// Resolve picks the version that runs with this wish get, but for those inside
// a narrower ring: "" or a range such as "^1.2" follows the rings, "canary" is
// always inside that one, "1.2.0" is exactly that version. Pre-releases are
// only found by their exact version, deprecated versions only where nothing
// else fits, held ones by their exact version. The error says which plugins or
// versions there are.
func (c *Catalog) Resolve(ctx context.Context, name, wish string) (octopus.PluginVersion, error) {
	p, err := c.enabled(ctx, name)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	return c.pick(ctx, p, wish, octopus.RingAll.Point())
}

// Choose picks the version that one run gets: Resolve, with the rings that the
// run is inside of. It is the same whenever it is asked about the same run and
// the same versions. onTrial: how its executions end is compared, because a
// version in a ring is on trial.
func (c *Catalog) Choose(ctx context.Context, name, wish, runID string) (v octopus.PluginVersion, onTrial bool, err error) {
	p, err := c.enabled(ctx, name)
	if err != nil {
		return v, false, err
	}
	if v, err = c.pick(ctx, p, wish, octopus.RingPoint(runID)); err != nil || v.Version == strings.TrimSpace(wish) {
		return v, false, err
	}
	now := c.now()
	return v, slices.ContainsFunc(p.Versions, func(v octopus.PluginVersion) bool { return v.OnTrial(now) }), nil
}

// enabled reads a plugin that may run.
func (c *Catalog) enabled(ctx context.Context, name string) (octopus.Plugin, error) {
	p, err := c.plugin(ctx, name)
	if err == nil && !p.Enabled {
		err = octopus.Errorf(octopus.CodeConflict, "The plugin %s is disabled; an administrator can enable it.", name)
	}
	return p, err
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

// pick is the version for a wish and a run that stands at a point of the rings.
func (c *Catalog) pick(ctx context.Context, p octopus.Plugin, wish string, point int) (octopus.PluginVersion, error) {
	wish = strings.TrimSpace(wish)
	for _, v := range p.Versions {
		if wish != "" && v.Version == wish {
			return v, usable(v)
		}
	}
	if ring := octopus.Ring(wish); ring.Valid() {
		wish, point = "", ring.Point()
	}
	fits, err := constraint(wish)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	var best, held octopus.PluginVersion
	var rank fitness
	for _, v := range p.Versions {
		number, err := semver.NewVersion(v.Version)
		if err != nil || !fits(number) || usable(v) != nil {
			continue
		}
		if v.Held {
			held = v
			continue
		}
		mine := fitness{point < v.Ring.Share(), v.Status != octopus.VersionDeprecated, len(c.MissingGrants(ctx, v)) == 0}
		if best.Version == "" || mine.above(rank) || mine == rank && better(v, best) {
			best, rank = v, mine
		}
	}
	switch {
	case best.Version != "":
		return best, nil
	case held.Version != "":
		return best, octopus.Errorf(octopus.CodeConflict, "%s %s is held, and no other version fits: %s Resume it on the plugin's page, or with octopus plugins resume %s %s.",
			held.Plugin, held.Version, held.RingNote, held.Plugin, held.Version)
	}
	return best, noVersion(p, wish)
}

// fitness ranks the versions that fit a wish before their numbers do. Where no
// ring has the run inside, it gets what there is.
type fitness struct{ inside, current, granted bool }

func (f fitness) above(g fitness) bool {
	switch {
	case f.inside != g.inside:
		return f.inside
	case f.current != g.current:
		return f.current
	}
	return f.granted && !g.granted
}

// constraint returns what a version must fulfil. Without a range any release
// does.
func constraint(want string) (func(*semver.Version) bool, error) {
	if want == "" || want == "latest" {
		return func(v *semver.Version) bool { return v.Prerelease() == "" }, nil
	}
	r, err := semver.NewConstraint(want)
	if err != nil {
		return nil, octopus.InvalidField("/version", `"version" must be a version such as 1.2.0, a range such as ^1.2, or a ring: canary, early or all.`)
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
