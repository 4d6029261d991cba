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

func toGrant(g octopus.Grant) sdk.Grant {
	return sdk.Grant{Digest: g.Digest, Capabilities: g.Capabilities, GrantedBy: g.GrantedBy, GrantedAt: utc(g.GrantedAt)}
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
	Name string `path:"name" maxLength:"64"`
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
	Version string `path:"version" maxLength:"64"`
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

type enablePluginInput struct {
	PluginName
	Verb string `path:"verb" enum:"enable,disable"`
}

func (a *API) enablePlugin(ctx context.Context, in *enablePluginInput) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.catalog.SetEnabled(ctx, in.Name, in.Verb == "enable", caller.Username)
}

type enableVersionInput struct {
	VersionName
	Verb string `path:"verb" enum:"enable,disable,deprecate,revoke,hold,resume"`
}

var versionStatus = map[string]octopus.VersionStatus{
	"enable": octopus.VersionPublished, "disable": octopus.VersionDisabled,
	"deprecate": octopus.VersionDeprecated, "revoke": octopus.VersionRevoked,
}

func (a *API) enableVersion(ctx context.Context, in *enableVersionInput) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	switch in.Verb {
	case "hold":
		return nil, a.catalog.Hold(ctx, in.Name, in.Version, "", caller.Username)
	case "resume":
		return nil, a.catalog.Resume(ctx, in.Name, in.Version, caller.Username)
	}
	return nil, a.catalog.SetStatus(ctx, in.Name, in.Version, versionStatus[in.Verb], caller.Username)
}

func (a *API) listGrants(ctx context.Context, _ *struct{}) (*list[sdk.Grant], error) {
	grants, err := a.store.Grants(ctx)
	if err != nil {
		return nil, err
	}
	return page(grants, "", toGrant), nil
}

// grant is safe to repeat: it replaces what was granted before.
func (a *API) grant(ctx context.Context, in *struct{ Body sdk.NewGrant }) (*created[sdk.Grant], error) {
	v, err := a.grantable(ctx, in.Body.Plugin, in.Body.Version)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	var caps spec.Capabilities
	if len(in.Body.Capabilities) == 0 {
		if caps, err = a.catalog.Bound(ctx, v); err != nil {
			return nil, err
		}
	} else if json.Unmarshal(in.Body.Capabilities, &caps) != nil {
		return nil, octopus.InvalidField("/capabilities", "The capabilities must be written as in a manifest: see docs/plugins.md.")
	}
	if caps, err = a.catalog.Bind(ctx, caps, in.Body.Secrets); err != nil {
		return nil, err
	}
	if err := a.catalog.Grant(ctx, v.Digest, caps, caller.Username); err != nil {
		return nil, err
	}
	out, err := a.getGrant(ctx, &grantDigest{v.Digest})
	if err != nil {
		return nil, err
	}
	return made(Prefix+"/grants/"+v.Digest, false, out.Body), nil
}

// grantable finds a version also where it is disabled: one grants before one enables.
func (a *API) grantable(ctx context.Context, name, version string) (octopus.PluginVersion, error) {
	p, err := a.plugin(ctx, name)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	for _, v := range p.Versions {
		if version == "" || v.Version == version {
			return v, nil
		}
	}
	return a.catalog.Resolve(ctx, name, version)
}

type grantDigest struct {
	Digest string `path:"digest" maxLength:"80"`
}

func (a *API) getGrant(ctx context.Context, in *grantDigest) (*one[sdk.Grant], error) {
	v, err := a.store.VersionByDigest(ctx, in.Digest)
	if err != nil {
		return nil, err
	}
	if v.Grant == nil {
		return nil, octopus.Errorf(octopus.CodeNotFound, "Nothing was granted to %s %s yet.", v.Plugin, v.Version)
	}
	out := &one[sdk.Grant]{Body: *toVersion(v).Grant}
	out.Body.Missing = a.catalog.MissingSecrets(ctx, v, "")
	return out, nil
}

func (a *API) revokeGrant(ctx context.Context, in *grantDigest) (*struct{}, error) {
	if _, err := a.store.VersionByDigest(ctx, in.Digest); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	return nil, a.catalog.Revoke(ctx, in.Digest, caller.Username)
}
