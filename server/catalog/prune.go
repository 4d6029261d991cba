package catalog

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

// keepBuilds is how long a replaced build is kept after it ran for the last time.
const keepBuilds = 7 * 24 * time.Hour

// prune drops builds of the same version that v replaced, but the latest of them: whoever builds ten times an hour
// would otherwise keep every module for ever. A build stays that a task names, that ran within keepBuilds, or whose
// status or grant somebody changed: what was decided about it must not be forgotten.
func (c *Catalog) prune(ctx context.Context, v octopus.PluginVersion) error {
	p, err := c.plugin(ctx, v.Plugin)
	if err != nil {
		return err
	}
	var replaced []octopus.PluginVersion
	latest := 0
	for _, other := range p.Versions {
		if other.Digest == v.Digest || other.CreatedBy != System || compare(other.Version, v.Version) != 0 ||
			other.Status != octopus.VersionDeprecated || other.Grant == nil || other.Grant.GrantedBy != System {
			continue
		}
		replaced = append(replaced, other)
		if other.CreatedAt.After(replaced[latest].CreatedAt) {
			latest = len(replaced) - 1
		}
	}
	for i, old := range replaced {
		if i == latest {
			continue // a step back finds it
		}
		dropped, err := c.store.DropVersion(ctx, old, c.now().Add(-keepBuilds))
		if err != nil {
			return err
		}
		if dropped {
			c.changed()
			c.log.Info("replaced build of a built-in plugin dropped", "plugin", old.Plugin, "version", old.Version)
		}
	}
	return nil
}
