package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"

	"github.com/Masterminds/semver/v3"
)

// Share is a version and which share of the runs gets it.
type Share struct {
	Version octopus.PluginVersion
	Percent int
}

// Shares says which versions the runs with a wish get, the largest share first. It is empty where none can run.
func (c *Catalog) Shares(ctx context.Context, name, wish string) ([]Share, error) {
	p, err := c.enabled(ctx, name)
	if err != nil {
		return nil, err
	}
	return c.sharesOf(ctx, p, wish)
}

func (c *Catalog) sharesOf(ctx context.Context, p octopus.Plugin, wish string) (out []Share, err error) {
	for i, ring := range octopus.Rings {
		points := ring.Share()
		if i > 0 {
			points -= octopus.Rings[i-1].Share()
		}
		v, err := c.pick(ctx, p, wish, ring.Point())
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(out, func(s Share) bool { return s.Version.Digest == v.Digest })
		if at < 0 {
			out, at = append(out, Share{Version: v}), len(out)
		}
		out[at].Percent += points * 100 / octopus.RingPoints
	}
	slices.SortStableFunc(out, func(a, b Share) int { return b.Percent - a.Percent })
	return out, nil
}

// DefaultRing is where versions are placed that are published, where nobody says another.
func (c *Catalog) DefaultRing() octopus.Ring { return c.ring }

// firstRing is where a version is placed that is about to be published: where somebody says, else where this server
// places it. The first version of a plugin is for all runs then: there is none that the others could get.
func (c *Catalog) firstRing(ctx context.Context, v octopus.PluginVersion, ring octopus.Ring) (octopus.Ring, error) {
	if ring != "" && !ring.Valid() {
		return "", noRing()
	}
	if number, err := semver.NewVersion(v.Version); err != nil || number.Prerelease() != "" {
		return octopus.RingAll, nil // only its exact version finds it
	}
	if ring != "" || c.ring == octopus.RingAll {
		return cmp.Or(ring, octopus.RingAll), nil
	}
	p, err := c.store.Plugin(ctx, v.Plugin)
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return "", err
	}
	if !slices.ContainsFunc(p.Versions, Follows) {
		return octopus.RingAll, nil
	}
	return c.ring, nil
}

func noRing() error {
	return octopus.InvalidField("/ring", "A ring is canary (5 %% of the runs), early (25 %%) or all.")
}

// SetRing places a version in a ring; one that was held runs again.
func (c *Catalog) SetRing(ctx context.Context, name, version string, ring octopus.Ring, by string) error {
	if !ring.Valid() {
		return noRing()
	}
	v, err := c.movable(ctx, name, version)
	if err != nil || v.Ring == ring && !v.Held {
		return err
	}
	return c.move(ctx, name, by, c.placed(v, ring, fmt.Sprintf("from %s to %s", v.Ring, ring)))
}

// placed is the move of a version into a ring. One that reaches all runs from a narrower ring stays compared for a day.
func (c *Catalog) placed(v octopus.PluginVersion, ring octopus.Ring, told string) store.RingMove {
	m := store.RingMove{Version: v.Version, Ring: ring, Told: told, Was: v.RingAt}
	if ring == octopus.RingAll && v.Ring != octopus.RingAll {
		m.WatchUntil = c.now().Add(octopus.TrialWatch)
	}
	return m
}

// Hold stops a version: no run that follows the plugin gets it any more. Runs that name it exactly, and those that
// there are already, go on with it.
func (c *Catalog) Hold(ctx context.Context, name, version, why, by string) error {
	v, err := c.movable(ctx, name, version)
	if err != nil || v.Held {
		return err
	}
	if why == "" {
		why = "Held by " + by + "."
	}
	return c.move(ctx, name, by, held(v, why))
}

func held(v octopus.PluginVersion, why string) store.RingMove {
	return store.RingMove{Version: v.Version, Ring: v.Ring, Held: true, Note: why, Told: "held: " + why, Was: v.RingAt}
}

// Resume takes back that a version is held: it is in its ring again, and is counted anew.
func (c *Catalog) Resume(ctx context.Context, name, version, by string) error {
	v, err := c.movable(ctx, name, version)
	if err != nil || !v.Held {
		return err
	}
	return c.move(ctx, name, by, store.RingMove{Version: v.Version, Ring: v.Ring, Told: "resumed in " + string(v.Ring), Was: v.RingAt})
}

// RollBack makes an older version the one that runs get, and holds those above it, which stay published. to is the
// version, "" for the one before the newest that runs. It returns both: what runs now, and what is held since.
func (c *Catalog) RollBack(ctx context.Context, name, to, by string) (now octopus.PluginVersion, above []string, err error) {
	p, err := c.fresh(ctx, name)
	if err != nil {
		return now, nil, err
	}
	current, err := c.newestRunning(p)
	if err != nil {
		return now, nil, err
	}
	if now, err = c.target(ctx, p, current, to); err != nil {
		return now, nil, err
	}
	var moves []store.RingMove
	if now.Held || now.Ring != octopus.RingAll {
		m := c.placed(now, octopus.RingAll, "rolled back to")
		m.WatchUntil = time.Time{} // a person said that it is good
		moves = append(moves, m)
	}
	for _, v := range p.Versions {
		if compare(v.Version, now.Version) > 0 && !v.Held && Follows(v) {
			moves = append(moves, held(v, fmt.Sprintf("Rolled back to %s by %s.", now.Version, by)))
			above = append(above, v.Version)
		}
	}
	return now, above, c.move(ctx, name, by, moves...)
}

// newestRunning is the highest version that runs may get by following the plugin.
func (c *Catalog) newestRunning(p octopus.Plugin) (octopus.PluginVersion, error) {
	i := slices.IndexFunc(p.Versions, func(v octopus.PluginVersion) bool { return !v.Held && Follows(v) })
	if i < 0 {
		return octopus.PluginVersion{}, octopus.Errorf(octopus.CodeConflict, "No version of %s runs now: all are held, disabled or revoked.", p.Name)
	}
	return p.Versions[i], nil
}

// target is the version that a roll-back leads to.
func (c *Catalog) target(ctx context.Context, p octopus.Plugin, current octopus.PluginVersion, to string) (octopus.PluginVersion, error) {
	for _, v := range p.Versions { // newest first
		if to != "" && v.Version != to {
			continue
		}
		older := compare(v.Version, current.Version) < 0 && Follows(v)
		switch granted := len(c.MissingGrants(ctx, v)) == 0; {
		case to == "" && (!older || v.Held || !granted):
			continue
		case !older:
			return v, octopus.Errorf(octopus.CodeConflict, "%s %s cannot be rolled back to: choose a released version below %s that is neither disabled nor revoked.", p.Name, v.Version, current.Version)
		case !granted:
			return v, octopus.Errorf(octopus.CodeConflict, "%s %s lacks its grant, so that nothing would run. Grant it first: octopus plugins grant %s --version %s", p.Name, v.Version, p.Name, v.Version)
		}
		return v, nil
	}
	if to != "" {
		return octopus.PluginVersion{}, noVersion(p, to)
	}
	return octopus.PluginVersion{}, octopus.Errorf(octopus.CodeConflict, "%s has no version below %s that could run instead.", p.Name, current.Version)
}

// Follows reports whether runs without an exact version may get this one at all: it is a release, and neither disabled
// nor revoked.
func Follows(v octopus.PluginVersion) bool {
	release, _ := constraint("")
	number, err := semver.NewVersion(v.Version)
	return err == nil && release(number) && usable(v) == nil
}

// movable reads a version, past the cache, that a ring is for.
func (c *Catalog) movable(ctx context.Context, name, version string) (octopus.PluginVersion, error) {
	p, err := c.fresh(ctx, name)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	for _, v := range p.Versions {
		if v.Version != version {
			continue
		}
		if number, err := semver.NewVersion(v.Version); err == nil && number.Prerelease() != "" {
			return v, octopus.Errorf(octopus.CodeConflict, "%s %s is a pre-release: only tasks that name it exactly run it, so that no ring is for it.", name, version)
		}
		if v.Status == octopus.VersionRevoked {
			return v, usable(v)
		}
		return v, nil
	}
	return octopus.PluginVersion{}, noVersion(p, version)
}

// fresh reads a plugin past the cache.
func (c *Catalog) fresh(ctx context.Context, name string) (octopus.Plugin, error) {
	p, err := c.store.Plugin(ctx, name)
	return p, c.suggest(ctx, name, err)
}

func (c *Catalog) move(ctx context.Context, name, by string, moves ...store.RingMove) error {
	if len(moves) == 0 {
		return nil
	}
	if err := c.store.MoveRings(ctx, name, by, moves); err != nil {
		return err
	}
	c.changed()
	for _, m := range moves {
		c.log.Info("plugin version moved", "plugin", name, "version", m.Version, "ring", string(m.Ring), "held", m.Held, "told", m.Told, "by", by)
	}
	return nil
}
