package catalog

import (
	"context"

	"octopus/internal/octopus"
)

// Mismatch says, in a sentence, why saved work could not run now as far as its plugin goes: a version that is gone,
// disabled or revoked, an action or parameters that the version which would run does not have, a configuration that does not
// fit, or what it was not granted. Of versions in rings each that a run may get is looked at. "" where nothing is wrong. Plugins change after tasks
// were saved.
func (c *Catalog) Mismatch(ctx context.Context, w octopus.Work) string {
	shares, err := c.Shares(ctx, w.Plugin, w.Version)
	if err != nil {
		return octopus.Sentence(err)
	}
	for _, share := range shares {
		if said := c.mismatch(ctx, w, share.Version); said != "" {
			return said
		}
	}
	return ""
}

// mismatch is Mismatch with one of the versions that its runs may get.
func (c *Catalog) mismatch(ctx context.Context, w octopus.Work, v octopus.PluginVersion) string {
	if _, err := c.Check(ctx, v, w.Action, w.Params); err != nil {
		return "With " + v.Plugin + " " + v.Version + ": " + octopus.Sentence(err)
	}
	if _, err := c.Config(ctx, v); err != nil {
		return octopus.Sentence(err)
	}
	if missing := c.MissingGrants(ctx, v); len(missing) > 0 {
		return missing[0] + " It was not granted to " + v.Plugin + " " + v.Version + "."
	}
	return ""
}
