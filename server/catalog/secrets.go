package catalog

import (
	"context"
	"fmt"
	"slices"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// SecretUse is a version whose grant binds a stored secret.
type SecretUse struct {
	Plugin, Version string
	As              string // the secret's name in the manifest
	Expose          string // header or value
}

// SecretUses says which versions may use which stored secret, by its name.
func (c *Catalog) SecretUses(ctx context.Context) (map[string][]SecretUse, error) {
	grants, err := c.store.Grants(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string][]SecretUse{}
	for _, g := range grants {
		v, err := c.store.VersionByDigest(ctx, g.Digest)
		if octopus.CodeOf(err) == octopus.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		caps, err := c.EffectiveGrant(v)
		if err != nil {
			continue // what cannot be read grants nothing
		}
		for _, s := range caps.Secrets {
			u := SecretUse{Plugin: v.Plugin, Version: v.Version, As: s.Name, Expose: "header"}
			if s.MayRead() {
				u.Expose = "value"
			}
			out[s.Stored()] = append(out[s.Stored()], u)
		}
	}
	return out, nil
}

// MissingSecrets says, one sentence each, which secrets an action of a version may use and nobody stored; no action is
// any. The version carries its grant, as Resolve returns it.
func (c *Catalog) MissingSecrets(ctx context.Context, v octopus.PluginVersion, action string) []string {
	o, err := c.ofGrant(v)
	if err != nil || len(o.effective.Secrets) == 0 {
		return nil // MissingGrants says what is wrong
	}
	stored, err := c.store.Secrets(ctx)
	if err != nil {
		return []string{octopus.Sentence(err)}
	}
	var out []string
	for _, s := range o.effective.Secrets {
		if s.NeededBy(action) && !slices.ContainsFunc(stored, func(x octopus.Secret) bool { return x.Name == s.Stored() }) {
			out = append(out, missingSecret(v.Plugin, s))
		}
	}
	return out
}

func missingSecret(plugin string, s spec.Secret) string {
	as := ""
	if s.Stored() != s.Name {
		as = fmt.Sprintf(", which its grant binds to %s", s.Stored())
	}
	return fmt.Sprintf("%s needs a value for the secret %s%s. An administrator sets it on the page Secrets, or with octopus secrets set %s.",
		plugin, s.Name, as, s.Stored())
}

// Bind says which stored secrets a grant means: by the name in the manifest, the stored one. Both must exist. A name
// that is not mentioned keeps what caps says.
func (c *Catalog) Bind(ctx context.Context, caps spec.Capabilities, bind map[string]string) (spec.Capabilities, error) {
	if len(bind) == 0 {
		return caps, nil
	}
	secrets, err := c.store.Secrets(ctx)
	if err != nil {
		return caps, err
	}
	caps.Secrets = slices.Clone(caps.Secrets)
	for name, stored := range bind {
		i := slices.IndexFunc(caps.Secrets, func(s spec.Secret) bool { return s.Name == name })
		if i < 0 {
			return caps, octopus.InvalidField("/secrets/"+name, "The plugin asks for no secret %q.", name)
		}
		if !slices.ContainsFunc(secrets, func(s octopus.Secret) bool { return s.Name == stored }) {
			return caps, octopus.InvalidField("/secrets/"+name, "There is no secret %q. Store it first: octopus secrets set %s.", stored, stored)
		}
		caps.Secrets[i].Bind = stored
	}
	return caps, nil
}

// Bound is all that a version's manifest asks for, with the secrets bound as in its present grant. Those that it does
// not bind are bound to themselves.
func (c *Catalog) Bound(ctx context.Context, v octopus.PluginVersion) (spec.Capabilities, error) {
	m, err := c.Manifest(ctx, v.Digest)
	if err != nil {
		return spec.Capabilities{}, err
	}
	caps, before := m.Capabilities, granted(v)
	caps.Secrets = slices.Clone(caps.Secrets)
	for i := range caps.Secrets {
		if old, ok := before.Secret(caps.Secrets[i].Name); ok {
			caps.Secrets[i].Bind = old.Bind
		}
	}
	return caps, nil
}
