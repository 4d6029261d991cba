package sim

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// unused is what dispatch may ask of a store and no history does.
type unused struct{ dispatch.Store }

// Dialect implements dispatch.Store: where there may be several servers the database is a PostgreSQL.
func (h *handle) Dialect() string { return h.b.dialect }

// Now implements dispatch.Store.
func (h *handle) Now() time.Time { return h.b.now() }

// alive reports whether a server's lease is valid.
func (b *database) alive(serverID string) bool {
	s, ok := b.servers[serverID]
	return ok && s.Alive(b.now())
}

func (b *database) agent(id string) octopus.Agent {
	a := *b.agents[id]
	home := b.homes[id]
	a.Connected = home != "" && b.alive(home)
	return a
}

// Agent implements dispatch.Store.
func (h *handle) Agent(_ context.Context, idOrName string) (octopus.Agent, error) {
	if err := h.read(); err != nil {
		return octopus.Agent{}, err
	}
	if h.b.agents[idOrName] == nil {
		return octopus.Agent{}, notFound("agent", idOrName)
	}
	return h.b.agent(idOrName), nil
}

// Agents implements dispatch.Store.
func (h *handle) Agents(context.Context, store.AgentFilter, store.Page) (items []octopus.Agent, next string, err error) {
	for _, id := range h.b.agentIDs {
		items = append(items, h.b.agent(id))
	}
	return items, "", h.read()
}

// AgentSessions implements dispatch.Store.
func (h *handle) AgentSessions(_ context.Context, agentID string, limit int) ([]octopus.AgentSession, error) {
	list := h.b.sessions[agentID]
	return slices.Clone(list[:min(limit, len(list))]), h.read()
}

// Servers implements dispatch.Store.
func (h *handle) Servers(context.Context) ([]store.Server, error) {
	var list []store.Server
	for _, s := range h.b.w.servers {
		for _, id := range s.ids {
			if v, ok := h.b.servers[id]; ok {
				list = append(list, v)
			}
		}
	}
	return list, h.read()
}

// CloseServerSessions implements dispatch.Store.
func (h *handle) CloseServerSessions(_ context.Context, serverID, cause string) (n int, err error) {
	err = h.write("closed sessions", func() error {
		for _, id := range h.b.agentIDs {
			if h.b.homes[id] == serverID {
				h.b.homes[id] = ""
				n++
			}
		}
		if n > 0 {
			h.hint("agents", "")
		}
		return nil
	})
	return n, err
}

// openSession is store.OpenSession.
func (h *handle) openSession(s octopus.AgentSession) (epoch int64, err error) {
	err = h.write("a session", func() error {
		a := h.b.agents[s.AgentID]
		a.SessionEpoch++
		epoch, s.Epoch, s.ConnectedAt = a.SessionEpoch, a.SessionEpoch, h.b.now()
		h.b.homes[s.AgentID] = s.ServerID
		h.b.sessions[s.AgentID] = append([]octopus.AgentSession{s}, h.b.sessions[s.AgentID]...)
		h.hint("agents", s.AgentID)
		return nil
	})
	return epoch, err
}

// closeSession is store.CloseSession.
func (h *handle) closeSession(agentID string, epoch int64) error {
	return h.write("the end of a session", func() error {
		if a := h.b.agents[agentID]; a.SessionEpoch == epoch && h.b.homes[agentID] != "" {
			h.b.homes[agentID] = ""
			h.hint("agents", agentID)
		}
		return nil
	})
}

// renew is store.RenewServer.
func (h *handle) renew(id string) error {
	return h.write("a lease", func() error {
		h.b.servers[id] = store.Server{ID: id, RenewedAt: h.b.now()}
		return nil
	})
}

// The plugin of all histories: its action "again" declares itself idempotent, "once" does not.
const pluginName, pluginDigest = "probe", "sha256:probe"

var version = octopus.PluginVersion{Plugin: pluginName, Version: "1.0.0", Digest: pluginDigest, Status: octopus.VersionPublished}

// VersionByDigest implements dispatch.Store.
func (h *handle) VersionByDigest(context.Context, string) (octopus.PluginVersion, error) {
	return version, h.read()
}

// PluginChanges implements dispatch.Store.
func (h *handle) PluginChanges() int64 { return 0 }

// Tasks implements dispatch.Store: there are only runs.
func (h *handle) Tasks(context.Context, store.TaskFilter, store.Page) ([]octopus.Task, string, error) {
	return nil, "", nil
}

// Plugins implements dispatch.Store.
func (h *handle) Plugins(context.Context) ([]octopus.Plugin, error) { return nil, h.read() }

// CacheList implements dispatch.Store.
func (h *handle) CacheList(context.Context, string, string, int) ([]octopus.CacheEntry, error) {
	return nil, h.read()
}

// User implements dispatch.Store.
func (h *handle) User(_ context.Context, name string) (octopus.User, error) {
	return octopus.User{}, notFound("user", name)
}

// shelf is the catalogue of a history.
type shelf struct{}

// Choose implements dispatch.Catalog.
func (shelf) Choose(context.Context, string, string, string) (octopus.PluginVersion, bool, error) {
	return version, false, nil
}

// Judge implements dispatch.Catalog.
func (shelf) Judge(context.Context, string) error { return nil }

// Manifest implements dispatch.Catalog.
func (shelf) Manifest(context.Context, string) (spec.Manifest, error) {
	return spec.Manifest{Actions: []spec.Action{{Name: "once"}, {Name: "again", Idempotent: true}}}, nil
}

// Check implements dispatch.Catalog.
func (shelf) Check(_ context.Context, _ octopus.PluginVersion, _ string, params json.RawMessage) (json.RawMessage, error) {
	return params, nil
}

// MissingGrants implements dispatch.Catalog.
func (shelf) MissingGrants(context.Context, octopus.PluginVersion) []string { return nil }

// MissingSecrets implements dispatch.Catalog.
func (shelf) MissingSecrets(context.Context, octopus.PluginVersion, string) []string { return nil }

// Config implements dispatch.Catalog.
func (shelf) Config(context.Context, octopus.PluginVersion) (json.RawMessage, error) { return nil, nil }

// EffectiveGrant implements dispatch.Catalog.
func (shelf) EffectiveGrant(octopus.PluginVersion) (spec.Capabilities, error) {
	return spec.Capabilities{}, nil
}
