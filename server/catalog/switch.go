package catalog

import (
	"context"

	"octopus/internal/octopus"
)

// SetEnabled says whether new runs may use the plugin at all.
func (c *Catalog) SetEnabled(ctx context.Context, name string, enabled bool, by string) error {
	if err := c.store.SetPluginEnabled(ctx, name, enabled, by); err != nil {
		return c.suggest(ctx, name, err)
	}
	c.changed()
	c.log.Info("plugin switched", "plugin", name, "enabled", enabled, "by", by)
	return nil
}

// SetStatus moves one version through its life. A revoked version stays
// revoked: publish another one.
func (c *Catalog) SetStatus(ctx context.Context, name, version string, status octopus.VersionStatus, by string) error {
	v, err := c.exact(ctx, name, version)
	if err != nil {
		return err
	}
	switch v.Status {
	case status:
		return nil
	case octopus.VersionRevoked:
		return octopus.Errorf(octopus.CodeConflict, "%s %s was revoked for good; upload a new version instead.", name, version)
	}
	if err := c.store.SetVersionStatus(ctx, name, version, status, by); err != nil {
		return err
	}
	c.changed()
	c.log.Info("plugin version changed", "plugin", name, "version", version, "status", string(status), "by", by)
	return nil
}

// Item names a plugin or, with Version, one of its versions.
type Item struct{ Plugin, Version string }

// String is the item as people write it: "hello", "hello@1.0.0".
func (i Item) String() string {
	if i.Version == "" {
		return i.Plugin
	}
	return i.Plugin + "@" + i.Version
}

// Switched is what became of an item.
type Switched struct {
	Item
	Changed bool                  // false: it was so already, or Err
	Was     octopus.VersionStatus // before; of a plugin published for enabled, disabled for disabled
	Err     error                 // why it stays as it was
}

// Switch enables or disables plugins and versions, each by itself: one that
// cannot be switched keeps no other from it. Each that changed is a line in
// the history of its plugin.
func (c *Catalog) Switch(ctx context.Context, items []Item, enabled bool, by string) []Switched {
	status := octopus.VersionDisabled
	if enabled {
		status = octopus.VersionPublished
	}
	out := make([]Switched, len(items))
	for i, item := range items {
		out[i] = Switched{Item: item}
		s := &out[i]
		if s.Was, s.Err = c.statusOf(ctx, item); s.Err != nil || s.Was == status {
			continue
		}
		s.Err = c.PutStatus(ctx, item, status, by)
		s.Changed = s.Err == nil
	}
	return out
}

// PutStatus brings an item into a status; a plugin knows published, which is
// enabled, and disabled.
func (c *Catalog) PutStatus(ctx context.Context, i Item, status octopus.VersionStatus, by string) error {
	if i.Version == "" {
		return c.SetEnabled(ctx, i.Plugin, status != octopus.VersionDisabled, by)
	}
	return c.SetStatus(ctx, i.Plugin, i.Version, status, by)
}

// statusOf reads past the cache how an item is.
func (c *Catalog) statusOf(ctx context.Context, i Item) (octopus.VersionStatus, error) {
	p, err := c.fresh(ctx, i.Plugin)
	if err != nil {
		return "", err
	}
	if i.Version == "" {
		if p.Enabled {
			return octopus.VersionPublished, nil
		}
		return octopus.VersionDisabled, nil
	}
	for _, v := range p.Versions {
		if v.Version == i.Version {
			return v.Status, nil
		}
	}
	return "", noVersion(p, i.Version)
}
