package api

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/server/store"
)

func toGrant(g octopus.Grant) sdk.Grant {
	return sdk.Grant{Digest: g.Digest, Capabilities: g.Capabilities, GrantedBy: g.GrantedBy, GrantedAt: utc(g.GrantedAt)}
}

// toGranted is toGrant in the list of grants.
func toGranted(g catalog.Granted) sdk.Grant {
	out := toGrant(*g.Grant)
	out.Plugin, out.Version, out.State, out.Allows = g.Plugin, g.Version, string(g.State), g.Allows
	return out
}

type listGrantsInput struct {
	Paged
	Sort       string `query:"sort" enum:"granted_at,-granted_at" default:"-granted_at" doc:"-granted_at is the latest decision first."`
	Plugin     string `query:"plugin" maxLength:"64" doc:"Name of the plugin."`
	Capability string `query:"capability" maxLength:"64" doc:"What it allows, such as http."`
	GrantedBy  string `query:"granted_by" maxLength:"64" doc:"A user name, or octopus."`
	State      string `query:"state" enum:"in_force,older,revoked" doc:"in_force: runs get its version, or none that is newer. older: they get a newer one, or none of it. revoked: all was taken back."`
	Text       string `query:"q" maxLength:"256" doc:"Part of the plugin's name, of the version, of who granted it, or of what is granted."`
}

func (a *API) listGrants(ctx context.Context, in *listGrantsInput) (*list[sdk.Grant], error) {
	p := in.page()
	p.Descending = descending(in.Sort)
	grants, next, err := a.catalog.Grants(ctx, catalog.GrantFilter{
		GrantFilter: store.GrantFilter{Plugin: in.Plugin, GrantedBy: in.GrantedBy, Text: in.Text},
		Capability:  in.Capability, State: octopus.GrantState(in.State),
	}, p)
	if err != nil {
		return nil, err
	}
	return page(grants, next, toGranted), nil
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
	Digest string `path:"digest" maxLength:"80" doc:"Of the module that it is for, as the list shows it."`
}

func (a *API) getGrant(ctx context.Context, in *grantDigest) (*one[sdk.Grant], error) {
	v, err := a.store.VersionByDigest(ctx, in.Digest)
	if err != nil {
		return nil, err
	}
	if v.Grant == nil {
		return nil, octopus.Errorf(octopus.CodeNotFound, "Nothing was granted to %s %s yet.", v.Plugin, v.Version)
	}
	listed, _, err := a.catalog.Grants(ctx, catalog.GrantFilter{GrantFilter: store.GrantFilter{Digest: v.Digest}}, store.Page{})
	if err != nil {
		return nil, err
	}
	out := &one[sdk.Grant]{Body: *toVersion(v).Grant}
	for _, l := range listed {
		out.Body = toGranted(l)
	}
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
