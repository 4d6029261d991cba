package store

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"octopus/internal/octopus"
)

// PutGrant allows a plugin digest what the grant says, replacing what was granted before.
func (s *Store) PutGrant(ctx context.Context, g octopus.Grant) error {
	return s.write(ctx, func(t *tx) error {
		if g.GrantedAt.IsZero() {
			g.GrantedAt = t.now
		}
		_, err := t.exec(`INSERT INTO grants (digest, capabilities, granted_by, granted_at) VALUES (?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET capabilities = excluded.capabilities, granted_by = excluded.granted_by, granted_at = excluded.granted_at`,
			g.Digest, clean(string(g.Capabilities)), clean(g.GrantedBy), micros(g.GrantedAt))
		if err == nil {
			err = t.grantEvent(g)
		}
		return s.fail("grant", err)
	})
}

// grantEvent notes a grant in the history of the plugin that it is about, and announces it. An empty one takes
// everything away.
func (t *tx) grantEvent(g octopus.Grant) error {
	v, err := scanVersion(t.row(context.Background(), selectVersions+" WHERE plugin_versions.digest = ?", g.Digest))
	t.hintPlugin(v.Plugin)
	if isNoRow(err) {
		return nil
	}
	e := octopus.PluginEvent{Plugin: v.Plugin, Version: v.Version, Digest: g.Digest, Kind: octopus.PluginGranted, Actor: g.GrantedBy, Message: string(g.Capabilities)}
	var asks struct{ Capabilities json.RawMessage }
	if err == nil {
		err = json.Unmarshal(v.Manifest, &asks)
	}
	if e.Message == "{}" {
		e.Message = ""
		if len(asks.Capabilities) > 0 { // else it is all that is asked for
			e.Kind = octopus.PluginGrantRevoked
		}
	}
	if err == nil {
		err = t.pluginEvent(e)
	}
	return err
}

// DeleteGrant takes back what was granted to a digest.
func (s *Store) DeleteGrant(ctx context.Context, digest string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM grants WHERE digest = ?", digest)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "Nothing is granted to %q.", digest)
		}
		t.hintPlugin("")
		return s.fail("grant", err)
	})
}

// Grants lists every grant, the newest first.
func (s *Store) Grants(ctx context.Context) ([]octopus.Grant, error) {
	grants, err := list(ctx, s.reads, func(row scanner) (g octopus.Grant, err error) {
		err = row.Scan(&g.Digest, rawInto{&g.Capabilities}, &g.GrantedBy, timeInto{&g.GrantedAt})
		return g, err
	}, "SELECT digest, capabilities, granted_by, granted_at FROM grants ORDER BY granted_at DESC")
	return grants, s.fail("grants", err)
}

// GrantFilter narrows a list of grants. Zero fields do not.
type GrantFilter struct {
	Digest    string
	Plugin    string
	GrantedBy string
	Text      string // part of the plugin's name, of the version, of who granted it, or of what, as JSON
	// Keep decides what SQL cannot. Defaults to all of them.
	Keep func(*octopus.PluginVersion) bool
}

// GrantedVersions lists the versions to which something was granted, or from which it was taken back, in the order of
// that decision; each carries its grant.
func (s *Store) GrantedVersions(ctx context.Context, f GrantFilter, p Page) (items []octopus.PluginVersion, next string, err error) {
	at, err := p.key()
	if err != nil {
		return nil, "", err
	}
	last, err := momentOf(at)
	if err != nil {
		return nil, "", err
	}
	c := conditions{}
	c.add("grants.granted_at > 0")
	for column, value := range map[string]string{"grants.digest": f.Digest, "plugin": f.Plugin, "granted_by": f.GrantedBy} {
		if value != "" {
			c.add(column+" = ?", clean(value))
		}
	}
	c.contains(f.Text, "plugin", "version", "granted_by", "capabilities")
	limit := bounded(p.Limit)
	read := limit + 1
	if f.Keep != nil {
		read = max(read, MaxLimit)
	}
	compare, direction := p.order()
	order := " ORDER BY granted_at " + direction + ", grants.digest " + direction + " LIMIT ?"
	for {
		now := c.and("1 = 1")
		if last.id != "" {
			now = c.and("(granted_at "+compare+" ? OR granted_at = ? AND grants.digest "+compare+" ?)", last.at, last.at, last.id)
		}
		rows, err := list(ctx, s.reads, scanVersion, selectVersions+now.where()+order, append(now.args, read)...)
		if err != nil {
			return nil, "", s.fail("grants", err)
		}
		for i := range rows {
			if f.Keep == nil || f.Keep(&rows[i]) {
				items = append(items, rows[i])
			}
		}
		if len(items) > limit {
			items = items[:limit]
			return items, grantMoment(items[limit-1]).String(), nil
		}
		if len(rows) < read {
			return items, "", nil
		}
		last = grantMoment(rows[len(rows)-1])
	}
}

// GrantNames are the plugins and the people that grants are about, for a filter.
func (s *Store) GrantNames(ctx context.Context) (plugins, people []string, err error) {
	plugins, err = list(ctx, s.reads, one[string], "SELECT DISTINCT plugin FROM plugin_versions JOIN grants ON grants.digest = plugin_versions.digest ORDER BY plugin")
	if err == nil {
		people, err = list(ctx, s.reads, one[string], "SELECT DISTINCT granted_by FROM grants ORDER BY granted_by")
	}
	return plugins, people, s.fail("grants", err)
}

// moment is the key of a list in the order of time: microseconds, and what tells two of the same moment apart.
type moment struct {
	at int64
	id string
}

func grantMoment(v octopus.PluginVersion) moment { return moment{micros(v.Grant.GrantedAt), v.Digest} }

func (m moment) String() string {
	return cursor{Key: strconv.FormatInt(m.at, 10) + " " + m.id}.String()
}

// momentOf reads a cursor; the zero moment is the first page.
func momentOf(c cursor) (m moment, err error) {
	if c.Key == "" {
		return m, nil
	}
	at, id, found := strings.Cut(c.Key, " ")
	m.id = id
	if m.at, err = strconv.ParseInt(at, 10, 64); err != nil || !found || id == "" {
		return m, octopus.InvalidField("cursor", "This cursor is not one of ours. Leave it out to start at the first page.")
	}
	return m, nil
}
