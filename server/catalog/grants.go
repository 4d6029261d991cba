package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/cache"
	"octopus/server/store"
)

// Grant allows a digest to do what caps says; it replaces an earlier grant.
// Of what the manifest does not ask for nothing is kept, and a capability of
// which nothing would be kept is CodeInvalid.
func (c *Catalog) Grant(ctx context.Context, digest string, caps spec.Capabilities, by string) error {
	m, err := c.Manifest(ctx, digest)
	if err != nil {
		return err
	}
	raw, err := within(m, caps)
	if err != nil {
		return err
	}
	g := octopus.Grant{Digest: digest, Capabilities: raw, GrantedBy: by, GrantedAt: c.now()}
	if err := c.store.PutGrant(ctx, g); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	c.changed()
	c.log.Info("plugin granted", "digest", digest, "by", by)
	return nil
}

// within is the part of caps that a manifest asks for, as JSON.
func within(m spec.Manifest, caps spec.Capabilities) (json.RawMessage, error) {
	var wanted, kept map[string]json.RawMessage
	raw, err := json.Marshal(caps)
	if err == nil {
		err = json.Unmarshal(raw, &wanted)
	}
	if err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	if raw, err = json.Marshal(m.Capabilities.Intersect(caps)); err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, ok := kept[name]; !ok {
			return nil, octopus.InvalidField("/capabilities/"+name, "%s %s does not ask for this %s: a grant gives what the manifest asks for, or less.", m.Name, m.Version, name)
		}
	}
	return raw, nil
}

// GrantAll grants a version all that its manifest asks for. Secrets stay
// bound as they were.
func (c *Catalog) GrantAll(ctx context.Context, digest, by string) error {
	v, err := c.store.VersionByDigest(ctx, digest)
	if err != nil {
		return err
	}
	caps, err := c.Bound(ctx, v)
	if err != nil {
		return err
	}
	return c.Grant(ctx, digest, caps, by)
}

// Revoke takes everything away. It leaves an empty grant, which says who did
// it, and keeps SyncBuiltins from granting again.
func (c *Catalog) Revoke(ctx context.Context, digest, by string) error {
	return c.Grant(ctx, digest, spec.Capabilities{}, by)
}

// EffectiveGrant is what a version may do as far as the server is concerned:
// what it asks for and was granted. The policy of an agent's owner may take
// more away. The version carries its grant, as Resolve returns it.
func (c *Catalog) EffectiveGrant(v octopus.PluginVersion) (spec.Capabilities, error) {
	o, err := c.ofGrant(v)
	return o.effective, err
}

// MissingGrants says, one sentence each, what a version asks for and was not
// granted: "http-check needs http to any host." The version carries its grant,
// as Resolve returns it. Callers must not change the answer.
func (c *Catalog) MissingGrants(_ context.Context, v octopus.PluginVersion) []string {
	o, err := c.ofGrant(v)
	if err != nil {
		return []string{octopus.Sentence(err)}
	}
	return o.missing
}

// outcome is what a grant means for a version.
type outcome struct {
	effective spec.Capabilities
	missing   []string
}

// ofGrant is asked for each run, so it is computed once for each grant. The
// key names the grant: a version that was read before a change still gets the
// answer that belongs to it.
func (c *Catalog) ofGrant(v octopus.PluginVersion) (outcome, error) {
	key := "grant:" + v.Digest
	if v.Grant != nil {
		key += ":" + strconv.FormatInt(v.Grant.GrantedAt.UnixMicro(), 36)
	}
	return cache.Load(c.cache, cache.Plugins, key, func() (outcome, error) {
		m, err := decodeManifest(v)
		if err != nil {
			return outcome{}, err
		}
		caps := granted(v)
		o := outcome{effective: m.Capabilities.Intersect(caps)}
		for _, phrase := range m.Capabilities.Missing(caps) {
			o.missing = append(o.missing, v.Plugin+" needs "+phrase+".")
		}
		return o, nil
	})
}

// granted reads a version's grant. One that cannot be read grants nothing.
func granted(v octopus.PluginVersion) (caps spec.Capabilities) {
	if v.Grant == nil || json.Unmarshal(v.Grant.Capabilities, &caps) != nil {
		return spec.Capabilities{}
	}
	return caps
}

// Granted is a version in the list of grants, and what its grant is good for.
type Granted struct {
	octopus.PluginVersion
	State  octopus.GrantState
	Allows []string // what it may do, a phrase each, as in "http to any host"
}

// GrantFilter narrows the list of grants. Zero fields do not.
type GrantFilter struct {
	store.GrantFilter
	Capability string // one of spec.CapabilityNames
	State      octopus.GrantState
}

// Grants lists what digests were allowed, in the order of the decisions.
func (c *Catalog) Grants(ctx context.Context, f GrantFilter, p store.Page) (out []Granted, next string, err error) {
	if f.Capability != "" && !slices.Contains(spec.CapabilityNames, f.Capability) {
		return nil, "", octopus.InvalidField("capability", "There is no capability of this name; there is: %s.", strings.Join(spec.CapabilityNames, ", "))
	}
	if f.State != "" && !slices.Contains(octopus.GrantStates, f.State) {
		return nil, "", octopus.InvalidField("state", "The state of a grant is in_force, older or revoked.")
	}
	f.Keep = func(v *octopus.PluginVersion) bool {
		if f.Capability != "" {
			if o, err := c.ofGrant(*v); err != nil || !o.effective.Has(f.Capability) {
				return false
			}
		}
		return f.State == "" || c.grantState(ctx, *v) == f.State
	}
	versions, next, err := c.store.GrantedVersions(ctx, f.GrantFilter, p)
	for _, v := range versions {
		g := Granted{PluginVersion: v, State: c.grantState(ctx, v)}
		if o, err := c.ofGrant(v); err == nil { // what cannot be read grants nothing
			g.Allows = o.effective.Missing(spec.Capabilities{})
		}
		out = append(out, g)
	}
	return out, next, err
}

// grantState says what the grant of a version is good for.
func (c *Catalog) grantState(ctx context.Context, v octopus.PluginVersion) octopus.GrantState {
	o, err := c.ofGrant(v)
	if err == nil && len(o.missing) > 0 && len(o.effective.Missing(spec.Capabilities{})) == 0 {
		return octopus.GrantRevoked
	}
	if usable(v) != nil {
		return octopus.GrantOlder
	}
	p, err := c.plugin(ctx, v.Plugin)
	if err != nil {
		return octopus.GrantInForce
	}
	shares, _ := c.sharesOf(ctx, p, "") // nothing that runs may get is nothing newer
	newer := false
	for _, s := range shares {
		if s.Version.Digest == v.Digest {
			return octopus.GrantInForce
		}
		newer = newer || compare(s.Version.Version, v.Version) >= 0
	}
	if newer {
		return octopus.GrantOlder
	}
	return octopus.GrantInForce
}
