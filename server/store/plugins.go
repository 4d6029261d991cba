package store

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"octopus/internal/octopus"
)

// PublishVersion stores a module under name@version. Publishing the same bytes again changes nothing; other
// bytes under a published version are CodeConflict. source is "builtin" or "uploaded".
func (s *Store) PublishVersion(ctx context.Context, v octopus.PluginVersion, source, description string, module []byte) error {
	return s.write(ctx, func(t *tx) error { return t.publishVersion(v, source, description, v.CreatedBy, module) })
}

// publishVersion is PublishVersion; by is who decided that it is published.
func (t *tx) publishVersion(v octopus.PluginVersion, source, description, by string, module []byte) error {
	ctx, s := context.Background(), t.store
	digest, err := one[string](t.row(ctx, "SELECT digest FROM plugin_versions WHERE plugin = ? AND version = ?", v.Plugin, v.Version))
	switch {
	case err == nil && digest == v.Digest:
		return nil
	case err == nil:
		return octopus.Errorf(octopus.CodeConflict, "%s %s is published already with other contents. Raise the version in its manifest.", v.Plugin, v.Version)
	case !isNoRow(err):
		return s.fail("plugin version", err)
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = t.now
	}
	if v.Status == "" {
		v.Status = octopus.VersionPublished
	}
	told := octopus.PluginEvent{Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, Kind: octopus.PluginPublished, Actor: by}
	if v.Ring == "" {
		v.Ring = octopus.RingAll
	} else if v.Ring != octopus.RingAll {
		v.RingAt, v.RingBy, told.Message = t.now, by, string(v.Ring)
	}
	_, err = t.exec(`INSERT INTO plugins (id, name, description, source, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET description = excluded.description`,
		octopus.NewID(octopus.PrefixPlugin, t.now), v.Plugin, clean(description), source, true, micros(t.now))
	if err == nil {
		_, err = t.exec("INSERT INTO modules (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING", v.Digest, notNil(module))
	}
	if err == nil {
		_, err = t.exec("INSERT INTO plugin_versions ("+versionColumns+") VALUES ("+marks(16)+")", v.Plugin, v.Version, v.Digest, v.Size,
			string(v.Status), clean(v.Author), clean(v.License), clean(string(v.Manifest)), micros(v.CreatedAt), clean(v.CreatedBy),
			string(v.Ring), false, "", micros(v.RingAt), clean(v.RingBy), 0)
	}
	if isUnique(err) {
		return octopus.Errorf(octopus.CodeConflict, "This module is published already under another name or version.")
	}
	if err == nil {
		err = t.putSignatures(v.Digest, v.Signatures)
	}
	if err == nil {
		err = t.pluginEvent(told)
	}
	if err == nil && v.Ring != octopus.RingAll {
		err = t.forgetOutcomes(v.Plugin, "")
	}
	t.hintPlugin(v.Plugin)
	return s.fail("plugin version", err)
}

// topicPlugins is what changes of plugins and grants are announced under.
const topicPlugins = "plugins"

// PluginChanges grows with each change of a plugin or grant through this Store, before the caller that made it is
// answered: what was remembered at another number must not decide whether a plugin may start. Of changes by other
// servers only the bus tells.
func (s *Store) PluginChanges() int64 { return s.pluginChanges.Load() }

func (t *tx) hintPlugin(name string) {
	t.hint(topicPlugins, name)
	t.hint("cache:plugins", "")
}

const versionColumns = `plugin, version, digest, size, status, author, license, manifest, created_at, created_by,
ring, held, ring_note, ring_at, ring_by, watch_until`

const selectVersions = `SELECT plugin, version, plugin_versions.digest, size, status, author, license, manifest, created_at, created_by,
ring, held, ring_note, ring_at, ring_by, watch_until,
coalesce(capabilities, ''), coalesce(granted_by, ''), coalesce(granted_at, 0)
FROM plugin_versions LEFT JOIN grants ON grants.digest = plugin_versions.digest`

func scanVersion(row scanner) (octopus.PluginVersion, error) {
	var v octopus.PluginVersion
	var g octopus.Grant
	err := row.Scan(&v.Plugin, &v.Version, &v.Digest, &v.Size, &v.Status, &v.Author, &v.License, rawInto{&v.Manifest}, timeInto{&v.CreatedAt},
		&v.CreatedBy, &v.Ring, &v.Held, &v.RingNote, timeInto{&v.RingAt}, &v.RingBy, timeInto{&v.WatchUntil}, rawInto{&g.Capabilities}, &g.GrantedBy, timeInto{&g.GrantedAt})
	if !g.GrantedAt.IsZero() {
		g.Digest = v.Digest
		v.Grant = &g
	}
	return v, err
}

// newestFirst sorts versions by semver.
func newestFirst(versions []octopus.PluginVersion) {
	slices.SortStableFunc(versions, func(a, b octopus.PluginVersion) int { return semver.Compare("v"+b.Version, "v"+a.Version) })
}

const selectPlugins = `SELECT id, name, description, source, enabled, created_at,
(SELECT coalesce(sum(n), 0) FROM rollups WHERE hour = -1 AND plugin = plugins.name),
(SELECT coalesce(max(last_at), 0) FROM rollups WHERE hour = -1 AND plugin = plugins.name),
(SELECT count(*) FROM tasks WHERE tasks.plugin = plugins.name AND deleted_at = 0) FROM plugins`

func scanPlugin(row scanner) (p octopus.Plugin, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Description, &p.Source, &p.Enabled, timeInto{&p.CreatedAt}, &p.Runs, timeInto{&p.LastUsed}, &p.Tasks)
	return p, err
}

// Plugin returns a plugin with all its versions, the newest first.
func (s *Store) Plugin(ctx context.Context, name string) (octopus.Plugin, error) {
	column := "name"
	if octopus.ValidID(octopus.PrefixPlugin, name) {
		column = "id"
	}
	p, err := scanPlugin(s.reads.row(ctx, selectPlugins+" WHERE "+column+" = ?", name))
	if err != nil {
		return p, s.notFound(err, "plugin", name)
	}
	p.Versions, err = list(ctx, s.reads, scanVersion, selectVersions+" WHERE plugin = ?", p.Name)
	newestFirst(p.Versions)
	return p, s.fail("plugin versions", err)
}

// Plugins lists the plugins by name, each with its newest version only: the newest published one where any is.
func (s *Store) Plugins(ctx context.Context) ([]octopus.Plugin, error) {
	plugins, err := list(ctx, s.reads, scanPlugin, selectPlugins+" ORDER BY name")
	if err != nil {
		return nil, s.fail("plugins", err)
	}
	versions, err := list(ctx, s.reads, scanVersion, selectVersions)
	if err != nil {
		return nil, s.fail("plugin versions", err)
	}
	newestFirst(versions)
	for i := range plugins {
		p := &plugins[i]
		for _, v := range versions {
			if v.Plugin != p.Name {
				continue
			}
			if len(p.Versions) == 0 {
				p.Versions = []octopus.PluginVersion{v}
			} else if p.Versions[0].Status != octopus.VersionPublished && v.Status == octopus.VersionPublished {
				p.Versions[0] = v
			}
		}
	}
	return plugins, nil
}

// Version returns one version of a plugin.
func (s *Store) Version(ctx context.Context, name, version string) (octopus.PluginVersion, error) {
	v, err := scanVersion(s.reads.row(ctx, selectVersions+" WHERE plugin = ? AND version = ?", name, version))
	if err != nil {
		return v, s.notFound(err, "plugin version", name+" "+version)
	}
	return v, nil
}

// VersionByDigest returns the version with a module's digest.
func (s *Store) VersionByDigest(ctx context.Context, digest string) (octopus.PluginVersion, error) {
	v, err := scanVersion(s.reads.row(ctx, selectVersions+" WHERE plugin_versions.digest = ?", digest))
	if err != nil {
		return v, s.notFound(err, "plugin module", digest)
	}
	return v, nil
}

// Module returns a module's bytes.
func (s *Store) Module(ctx context.Context, digest string) ([]byte, error) {
	data, err := one[[]byte](s.reads.row(ctx, "SELECT data FROM modules WHERE digest = ?", digest))
	if err != nil {
		return nil, s.notFound(err, "plugin module", digest)
	}
	return data, nil
}

// SetPluginEnabled allows or refuses new work for a plugin.
func (s *Store) SetPluginEnabled(ctx context.Context, name string, enabled bool, by string) error {
	e := octopus.PluginEvent{Plugin: name, Kind: octopus.PluginSwitched, Actor: by, Message: "disabled"}
	if enabled {
		e.Message = "enabled"
	}
	return s.changePlugin(ctx, e, "UPDATE plugins SET enabled = ? WHERE name = ?", enabled, name)
}

// SetVersionStatus moves a version through its life.
func (s *Store) SetVersionStatus(ctx context.Context, name, version string, status octopus.VersionStatus, by string) error {
	e := octopus.PluginEvent{Plugin: name, Version: version, Kind: octopus.PluginStatusChanged, Actor: by, Message: string(status)}
	return s.changePlugin(ctx, e, "UPDATE plugin_versions SET status = ? WHERE plugin = ? AND version = ?", string(status), name, version)
}

// changePlugin changes one row and notes it in the plugin's history.
func (s *Store) changePlugin(ctx context.Context, e octopus.PluginEvent, query string, args ...any) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(query, args...)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no plugin %q.", strings.TrimSpace(e.Plugin+" "+e.Version))
		}
		if err == nil {
			err = t.pluginEvent(e)
		}
		t.hintPlugin(e.Plugin)
		return s.fail("plugin", err)
	})
}
