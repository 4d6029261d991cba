package api

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/sdk/spec"
	"octopus/server/auth"
)

func toPlugin(p octopus.Plugin) sdk.Plugin {
	out := sdk.Plugin{
		ID: p.ID, Name: p.Name, Description: p.Description, Source: p.Source, Enabled: p.Enabled, Runs: p.Runs,
		Tasks: p.Tasks, LastUsed: utc(p.LastUsed), CreatedAt: utc(p.CreatedAt),
	}
	for _, v := range p.Versions {
		out.Versions = append(out.Versions, toVersion(v))
	}
	return out
}

func toVersion(v octopus.PluginVersion) sdk.PluginVersion {
	out := sdk.PluginVersion{
		Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, SizeBytes: v.Size, Status: string(v.Status),
		Author: v.Author, License: v.License, Manifest: v.Manifest, CreatedAt: utc(v.CreatedAt), CreatedBy: v.CreatedBy,
		Ring: string(v.Ring), Held: v.Held, HeldWhy: v.RingNote, RingMovedAt: utc(v.RingAt), RingMovedBy: v.RingBy,
	}
	var m struct {
		Capabilities spec.Capabilities `json:"capabilities"`
	}
	out.Unsandboxed = json.Unmarshal(v.Manifest, &m) == nil && m.Capabilities.Unsandboxed()
	if v.Grant != nil {
		grant := toGrant(*v.Grant)
		grant.Plugin, grant.Version = v.Plugin, v.Version
		out.Grant = &grant
	}
	return out
}

func (a *API) listPlugins(ctx context.Context, _ *struct{}) (*list[sdk.Plugin], error) {
	plugins, err := a.store.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	return page(plugins, "", toPlugin), nil
}

// PluginName is the path of one plugin.
type PluginName struct {
	Name string `path:"name" maxLength:"64" doc:"Name of the plugin."`
}

func (a *API) getPlugin(ctx context.Context, in *PluginName) (*one[sdk.Plugin], error) {
	p, err := a.plugin(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	out := toPlugin(p)
	err = a.counted(ctx, p.Name, out.Versions)
	return &one[sdk.Plugin]{Body: out}, err
}

// counted adds how often each version was downloaded, and how its executions ended that are compared.
func (a *API) counted(ctx context.Context, name string, versions []sdk.PluginVersion) error {
	fetches, err := a.store.Fetches(ctx, name)
	if err != nil {
		return err
	}
	outcomes, err := a.store.Outcomes(ctx, name)
	for i := range versions {
		f := fetches[versions[i].Digest]
		versions[i].Downloads, versions[i].Agents = f.Downloads, f.Agents
		if t, ok := outcomes[versions[i].Digest]; ok {
			versions[i].Outcomes = &sdk.Outcomes{Succeeded: t.Succeeded, Failed: t.Failed}
		}
	}
	return err
}

// plugin returns a plugin with all versions; for an unknown name the error names the nearest.
func (a *API) plugin(ctx context.Context, name string) (octopus.Plugin, error) {
	p, err := a.store.Plugin(ctx, name)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		_, err = a.catalog.Resolve(ctx, name, "")
	}
	return p, err
}

func (a *API) listVersions(ctx context.Context, in *PluginName) (*list[sdk.PluginVersion], error) {
	p, err := a.plugin(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	out := page(p.Versions, "", toVersion)
	return out, a.counted(ctx, p.Name, out.Body.Items)
}

// VersionName is the path of one version of a plugin.
type VersionName struct {
	PluginName
	Version string `path:"version" maxLength:"64" doc:"An exact version, such as 1.2.0."`
}

func (a *API) getVersion(ctx context.Context, in *VersionName) (*one[sdk.PluginVersion], error) {
	if _, err := a.plugin(ctx, in.Name); err != nil {
		return nil, err
	}
	v, err := a.store.Version(ctx, in.Name, in.Version)
	if err != nil {
		return nil, err
	}
	out := []sdk.PluginVersion{toVersion(v)}
	if err := a.counted(ctx, v.Plugin, out); err != nil {
		return nil, err
	}
	signatures, err := a.store.Signatures(ctx, v.Digest)
	for _, s := range signatures {
		out[0].SignedBy = append(out[0].SignedBy, s.Key)
	}
	return &one[sdk.PluginVersion]{Body: out[0]}, err
}

type listVersionAgentsInput struct {
	VersionName
	Paged
}

func (a *API) listVersionAgents(ctx context.Context, in *listVersionAgentsInput) (*list[sdk.VersionAgent], error) {
	if _, err := a.plugin(ctx, in.Name); err != nil {
		return nil, err
	}
	v, err := a.store.Version(ctx, in.Name, in.Version)
	if err != nil {
		return nil, err
	}
	p := in.page()
	p.Descending = true
	agents, next, err := a.store.VersionAgents(ctx, v, p)
	if err != nil {
		return nil, err
	}
	return page(agents, next, func(g octopus.VersionAgent) sdk.VersionAgent {
		return sdk.VersionAgent{AgentID: g.AgentID, AgentName: g.AgentName, Fetches: g.Fetches, FetchedAt: utc(g.FetchedAt), Runs: g.Runs, RanAt: utc(g.RanAt)}
	}), nil
}

type rawUpload struct {
	Ring    string `query:"ring" enum:"canary,early,all" doc:"Which runs get it. Left out: as the server's setting plugins.ring says."`
	RawBody []byte `contentType:"application/wasm" doc:"A packed module, as octopus plugins pack makes it."`
}

// uploadPlugin is safe to repeat without a key: the same bytes are the same version.
func (a *API) uploadPlugin(ctx context.Context, in *rawUpload) (*created[sdk.PluginVersion], error) {
	caller, _ := auth.FromContext(ctx)
	before := a.now()
	v, err := a.catalog.UploadInto(ctx, bodyOf(ctx), octopus.Ring(in.Ring), caller.Username)
	if err != nil {
		return nil, err
	}
	replay := v.CreatedAt.Before(before.Truncate(1000))
	return made(Prefix+"/plugins/"+v.Plugin+"/versions/"+v.Version, replay, toVersion(v)), nil
}
