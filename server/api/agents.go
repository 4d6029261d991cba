package api

import (
	"context"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/store"
)

// AgentRef is the path of one agent. huma reads embedded parts of an input only where they are exported.
type AgentRef struct {
	ID string `path:"id" maxLength:"128" doc:"Id or name."`
}

// toAgent adds to the stored agent what only memory knows: its slots and what runs there.
func (a *API) toAgent(g octopus.Agent) sdk.Agent {
	out := sdk.Agent{
		ID: g.ID, Name: g.Name, Status: string(g.Status()), Labels: g.Labels, Slots: g.Slots, Enabled: g.Enabled, Drained: g.Drained,
		Revoked: g.Revoked, Facts: toFacts(g.Facts), ConnectedAt: utc(g.ConnectedAt), LastSeen: utc(g.LastSeen),
		LastRefusal: g.LastRefusal, LastRefusalAt: utc(g.LastRefusalAt), EnrolledBy: g.EnrolledBy, CreatedAt: utc(g.CreatedAt),
	}
	if p, ok := a.dispatch.Presence(g.ID); ok && p.Connected {
		g.Connected = true
		out.Status = string(g.Status())
		out.Free, out.Running, out.Load, out.RemoteAddr = p.Free, p.Running, p.Load, p.RemoteAddr
		out.ConnectedAt, out.LastSeen = utc(p.Since), utc(p.LastHeartbeat)
		if p.Slots > 0 {
			out.Slots = p.Slots
		}
	}
	return out
}

func toFacts(f octopus.Facts) sdk.AgentFacts {
	return sdk.AgentFacts{
		Hostname: f.Hostname, User: f.User, OS: f.OS, Arch: f.Arch, Platform: f.Platform, Kernel: f.Kernel,
		Addresses: f.Addresses, CPUs: f.CPUs, MemoryBytes: f.MemoryBytes, AgentVersion: f.AgentVersion,
		SandboxLevel: f.Sandbox.Level, SandboxHas: f.Sandbox.Has, SandboxMissing: f.Sandbox.Missing, SandboxWithout: f.Sandbox.Without, Policy: f.Policy,
		Commands: f.Commands, Scripts: f.Scripts, Transport: string(f.Transport), TransportReason: f.TransportReason,
	}
}

type listAgentsInput struct {
	Paged
	ByName
	Text     string `query:"q" maxLength:"256" doc:"Part of name, host name, platform or address."`
	Status   string `query:"status" enum:"online,offline,disabled" doc:"Only those."`
	Selector string `query:"selector" maxLength:"2048" doc:"Over labels and facts, such as env=prod,os=linux."`
}

func (a *API) listAgents(ctx context.Context, in *listAgentsInput) (*list[sdk.Agent], error) {
	if err := checkSelector(in.Selector); err != nil {
		return nil, err
	}
	p := in.page()
	p.Descending = descending(in.Sort)
	f := store.AgentFilter{Text: in.Text, Status: octopus.AgentStatus(in.Status), Selector: in.Selector}
	agents, next, err := a.store.Agents(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return page(agents, next, func(g octopus.Agent) sdk.Agent {
		out := a.toAgent(g)
		out.Facts.Policy = ""
		return out
	}), nil
}

func (a *API) getAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	g, err := a.store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[sdk.Agent]{Body: a.toAgent(g)}, nil
}

// shownSessions is how many connections of an agent are listed.
const shownSessions = 100

func (a *API) listAgentSessions(ctx context.Context, in *AgentRef) (*list[sdk.AgentSession], error) {
	g, err := a.store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	sessions, err := a.store.AgentSessions(ctx, g.ID, shownSessions)
	if err != nil {
		return nil, err
	}
	return page(sessions, "", func(s octopus.AgentSession) sdk.AgentSession {
		return sdk.AgentSession{
			Epoch: s.Epoch, ServerID: s.ServerID, RemoteAddr: s.RemoteAddr, ConnectedAt: utc(s.ConnectedAt),
			DisconnectedAt: utc(s.DisconnectedAt), Cause: s.Cause,
		}
	}), nil
}

// changeAgent is what the buttons of an agent have in common.
func (a *API) changeAgent(ctx context.Context, idOrName, did string, change func(*octopus.Agent) error) (*one[sdk.Agent], error) {
	g, err := a.store.Agent(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	if g, err = a.store.UpdateAgent(ctx, g.ID, change); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	a.log.Info("agent "+did, "agent", g.Name, "id", g.ID, "by", caller.Username)
	return &one[sdk.Agent]{Body: a.toAgent(g)}, nil
}

func (a *API) enableAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	return a.changeAgent(ctx, in.ID, "enabled", func(g *octopus.Agent) error {
		if g.Revoked {
			return octopus.Errorf(octopus.CodeConflict, "%s was revoked for good. Remove it and enrol the machine again.", g.Name)
		}
		g.Enabled = true
		return nil
	})
}

func (a *API) disableAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	return a.changeAgent(ctx, in.ID, "disabled", func(g *octopus.Agent) error { g.Enabled = false; return nil })
}

func (a *API) drainAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	return a.changeAgent(ctx, in.ID, "drained", func(g *octopus.Agent) error { g.Drained = true; return nil })
}

func (a *API) undrainAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	return a.changeAgent(ctx, in.ID, "undrained", func(g *octopus.Agent) error { g.Drained = false; return nil })
}

func (a *API) revokeAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	return a.changeAgent(ctx, in.ID, "revoked", func(g *octopus.Agent) error { g.Revoked = true; return nil })
}

type renameAgentInput struct {
	AgentRef
	Body sdk.RenameAgent
}

func (a *API) renameAgent(ctx context.Context, in *renameAgentInput) (*one[sdk.Agent], error) {
	name := strings.TrimSpace(in.Body.Name)
	if err := octopus.CheckAgentName(name); err != nil {
		return nil, err
	}
	return a.changeAgent(ctx, in.ID, "renamed", func(g *octopus.Agent) error { g.Name = name; return nil })
}

func (a *API) restartAgent(ctx context.Context, in *AgentRef) (*one[sdk.Agent], error) {
	g, err := a.store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	if err := a.dispatch.RestartAgent(ctx, g.ID, caller.Username); err != nil {
		return nil, err
	}
	return &one[sdk.Agent]{Body: a.toAgent(g)}, nil
}

func (a *API) removeAgent(ctx context.Context, in *AgentRef) (*struct{}, error) {
	g, err := a.store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.store.RemoveAgent(ctx, g.ID); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	a.log.Info("agent removed", "agent", g.Name, "id", g.ID, "by", caller.Username)
	return nil, nil
}
