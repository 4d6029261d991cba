package web

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/views"
)

// pluginRow is a plugin as its list shows it: by its newest published version, or the newest where none is.
func (s *Web) pluginRow(ctx context.Context, p octopus.Plugin) (views.PluginRow, error) {
	row := views.PluginRow{Plugin: p, Grant: "none"}
	if len(p.Versions) == 0 {
		return row, nil
	}
	v := p.Versions[max(0, slices.IndexFunc(p.Versions, func(v octopus.PluginVersion) bool { return v.Status == octopus.VersionPublished }))]
	row.Version = v.Version
	manifest, err := s.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return row, err
	}
	for _, a := range manifest.Actions {
		row.Actions = append(row.Actions, a.Name)
	}
	row.Unsandboxed = manifest.Capabilities.Unsandboxed()
	row.Grant = grantState(len(manifest.Capabilities.Missing(spec.Capabilities{})), len(s.cfg.Catalog.MissingGrants(ctx, v)))
	return row, nil
}

// lists reports whether the list of plugins with this search has the plugin.
func lists(p octopus.Plugin, search string) bool {
	return strings.Contains(strings.ToLower(p.Name+" "+p.Description), strings.ToLower(search))
}

// pluginRows draws the rows of a plugin, or of all, for who has their list open.
func (d *drawing) pluginRows(name string) (frames []frame, err error) {
	if !d.wanted[topicPlugins] {
		return nil, nil
	}
	var list []octopus.Plugin
	if name == "" {
		list, err = d.l.web.cfg.Store.Plugins(d.ctx)
	} else {
		list = make([]octopus.Plugin, 1)
		list[0], err = d.l.web.cfg.Store.Plugin(d.ctx, name)
	}
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		row, err := d.l.web.pluginRow(d.ctx, p)
		if err != nil {
			return nil, err
		}
		f := d.part(topicPlugins, "#plugins", "upsert", p.Name, views.ListedPlugin(row))
		f.fits = func(sub subscription) bool { return lists(p, sub.filter.text) }
		frames = append(frames, f)
	}
	return frames, nil
}

// pollPlugins looks at all plugins while somebody has their list open: that one ran is told by no hint.
func (l *live) pollPlugins(ctx context.Context) {
	list, err := l.web.cfg.Store.Plugins(ctx)
	if err != nil {
		return
	}
	for _, p := range list {
		signature := fmt.Sprint(p.Enabled, p.Runs, p.LastUsed.UnixMicro(), p.Description)
		for _, v := range p.Versions {
			signature += fmt.Sprint(v.Version, v.Status, len(l.web.cfg.Catalog.MissingGrants(ctx, v)))
		}
		l.differs(change{changedPluginRow, p.Name}, signature)
	}
}
