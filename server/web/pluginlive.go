package web

import (
	"context"
	"fmt"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/views"
)

// plugin draws the moving parts of a plugin's page, for each of its versions that somebody looks at. The form of its
// configuration is no such part: somebody may be typing there.
func (d *drawing) plugin(name string) (frames []frame, err error) {
	for t := range d.wanted {
		at, ok := strings.CutPrefix(t, topicPlugin)
		plugin, version, _ := strings.Cut(at, "@")
		if !ok || name != "" && plugin != name {
			continue
		}
		m, err := d.l.web.pluginModel(d.ctx, plugin, version)
		if octopus.CodeOf(err) == octopus.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		frames = append(frames,
			d.part(t, "#plugin-head", "innerMorph", "", views.PluginHead(m)),
			d.part(t, "#plugin-versions", "innerMorph", "", views.PluginVersions(m)),
			d.part(t, "#plugin-history", "innerMorph", "", views.PluginHistory(m)),
			d.part(t, "#plugin-may", "innerMorph", "", views.PluginMay(m)),
			d.part(t, "#plugin-uses", "innerMorph", "", views.PluginUses(m)))
	}
	return frames, nil
}

// pollPlugin looks at a plugin of which somebody has the page open.
func (l *live) pollPlugin(ctx context.Context, at string) {
	name, _, _ := strings.Cut(at, "@")
	p, err := l.web.cfg.Store.Plugin(ctx, name)
	if err != nil {
		return
	}
	outcomes, err := l.web.cfg.Store.Outcomes(ctx, name)
	if err != nil {
		return
	}
	fetches, err := l.web.cfg.Store.Fetches(ctx, name)
	if err != nil {
		return
	}
	events, _, err := l.web.cfg.Store.PluginEvents(ctx, name, store.Page{Limit: 1, Descending: true})
	if err != nil {
		return
	}
	signature := fmt.Sprint(p.Enabled, outcomes, fetches)
	for _, v := range p.Versions {
		signature += fmt.Sprint(v.Version, v.Status, v.Ring, v.Held)
	}
	for _, e := range events { // what is decided about a version or its grant is one
		signature += e.ID
	}
	l.differs(change{changedPlugin, name}, signature)
}
