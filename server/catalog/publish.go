package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// maxModule is the size in bytes that a module may have at most: agents take no more.
const maxModule = 32 << 20

// MaxUpload is the size in bytes that an uploaded module may have.
func (c *Catalog) MaxUpload() int64 { return c.most }

// Inspection is what a module says of itself, before it is published.
type Inspection struct {
	Version  octopus.PluginVersion // as it would be published, or as it is
	Manifest spec.Manifest
	Known    bool // these very bytes are published already
}

// Inspect checks a module without publishing it. A module or manifest that is not accepted is CodeInvalid, with every
// problem; another module with a version that exists, and the name of a built-in plugin, are CodeConflict.
func (c *Catalog) Inspect(ctx context.Context, module []byte) (Inspection, error) {
	if int64(len(module)) > c.most {
		return Inspection{}, c.TooLarge(int64(len(module)))
	}
	v, m, err := read(module)
	if err != nil {
		return Inspection{Version: v, Manifest: m}, err
	}
	old, err := c.store.VersionByDigest(ctx, v.Digest)
	if err == nil {
		return Inspection{Version: old, Manifest: m, Known: true}, nil
	}
	if octopus.CodeOf(err) != octopus.CodeNotFound {
		return Inspection{}, err
	}
	in := Inspection{Version: v, Manifest: m}
	if p, err := c.store.Plugin(ctx, v.Plugin); err == nil && p.Source == octopus.SourceBuiltin {
		return in, octopus.Errorf(octopus.CodeConflict, "%s is built into Octopus; give your plugin another name.", v.Plugin)
	}
	if old, err := c.store.Version(ctx, v.Plugin, v.Version); err == nil {
		if old.Digest == v.Digest { // published between the two questions
			return Inspection{Version: old, Manifest: m, Known: true}, nil
		}
		return in, taken(old)
	}
	return in, nil
}

// Upload is UploadInto the ring that this server publishes into.
func (c *Catalog) Upload(ctx context.Context, module []byte, by string) (octopus.PluginVersion, error) {
	return c.UploadInto(ctx, module, "", by)
}

// UploadInto checks a module and publishes it under the name and version of its manifest, without a review: it is
// CodeConflict where somebody else has to review it, see [Catalog.MayReviewAlone]. An empty ring is the one that this
// server publishes into. The same bytes again are answered with what is there. For other errors see [Catalog.Inspect].
func (c *Catalog) UploadInto(ctx context.Context, module []byte, ring octopus.Ring, by string) (octopus.PluginVersion, error) {
	in, err := c.Inspect(ctx, module)
	v := in.Version
	if err != nil || in.Known {
		return v, err
	}
	if alone, err := c.MayReviewAlone(ctx, by); err != nil {
		return v, err
	} else if !alone {
		return v, octopus.Errorf(octopus.CodeConflict, "Another administrator reviews a plugin before it is published: submit it with octopus plugins submit. (With plugins.self_review administrators publish alone.)")
	}
	if v.Ring, err = c.firstRing(ctx, v, ring); err != nil {
		return v, err
	}
	v.CreatedBy, v.CreatedAt = by, c.now()
	if err := c.publish(ctx, v, octopus.SourceUploaded, in.Manifest.Description, module); err != nil {
		return c.overtaken(ctx, v, err)
	}
	c.log.Info("plugin published", "plugin", v.Plugin, "version", v.Version, "digest", v.Digest, "by", by)
	return c.store.VersionByDigest(ctx, v.Digest)
}

func (c *Catalog) publish(ctx context.Context, v octopus.PluginVersion, source, description string, module []byte) error {
	if err := c.sign(ctx, &v); err != nil && (source != octopus.SourceBuiltin || octopus.CodeOf(err) != octopus.CodeUnavailable) {
		return err // a server starts without its key; its log says so
	}
	if err := c.store.PublishVersion(ctx, v, source, description, module); err != nil {
		return fmt.Errorf("publish %s %s: %w", v.Plugin, v.Version, err)
	}
	c.changed()
	return nil
}

// read checks a module's structure and manifest without compiling it.
func read(module []byte) (octopus.PluginVersion, spec.Manifest, error) {
	var v octopus.PluginVersion
	if len(module) > maxModule {
		return v, spec.Manifest{}, octopus.Errorf(octopus.CodeTooLarge, "The module is over %d MiB.", maxModule>>20)
	}
	m, err := wasmplugins.ManifestOf(module)
	if errors.Is(err, wasmplugins.ErrNoManifest) { // packing it would not help a module that cannot run at all
		if _, refused := wasmplugins.Check(module, 0); refused != nil {
			err = refused
		}
	}
	if err != nil {
		return v, m, octopus.Errorf(octopus.CodeInvalid, "%s", sentence(err))
	}
	if err := problems(m.Validate()); err != nil {
		return v, m, err
	}
	if _, err := wasmplugins.Check(module, uint64(m.Limits.Memory)); err != nil {
		return v, m, octopus.Errorf(octopus.CodeInvalid, "%s", sentence(err))
	}
	for _, a := range m.Actions {
		if _, err := CompileParams(a.Params); err != nil {
			return v, m, octopus.Errorf(octopus.CodeInvalid, "The schema of the parameters of %s is not usable: %v.", a.Name, err)
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return v, m, fmt.Errorf("manifest of %s: %w", m.Name, err)
	}
	return octopus.PluginVersion{
		Plugin: m.Name, Version: m.Version, Digest: wasmplugins.Digest(module), Size: int64(len(module)),
		Status: octopus.VersionPublished, Author: m.Author, License: m.License, Manifest: raw,
	}, m, nil
}

// sentence passes on what the sandbox says for people.
func sentence(err error) string {
	if refusal, ok := errors.AsType[*wasmplugins.Refusal](err); ok {
		return refusal.Message
	}
	text := strings.TrimRight(err.Error(), ".")
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):] + "."
}

func problems(list []spec.Problem) error {
	if len(list) == 0 {
		return nil
	}
	e := octopus.Errorf(octopus.CodeInvalid, "The manifest breaks %d rules, the first: %s: %s", len(list), list[0].Path, list[0].Message)
	if len(list) == 1 {
		e.Message = fmt.Sprintf("The manifest breaks a rule: %s: %s", list[0].Path, list[0].Message)
	}
	for _, p := range list {
		e.Fields = append(e.Fields, octopus.FieldError{Field: "/manifest/" + p.Path, Message: p.Message})
	}
	return e
}

// SyncBuiltins publishes the plugins of this binary that the database does not
// have. With grant they are granted all that they ask for, once: what an
// administrator takes away stays away. What would run outside the sandbox is
// granted by a person only. Without it, a new version gets its
// predecessor's grant where that covers all that it asks for. Where a version
// exists with another digest (a build of other sources), the new one is
// published as "1.0.0+<8 hex digits of its digest>", and the other deprecated.
func (c *Catalog) SyncBuiltins(ctx context.Context, grant bool) error {
	if err := c.adopt(ctx); err != nil {
		return err
	}
	plugins, err := c.builtins()
	if err != nil {
		return err
	}
	for _, p := range plugins {
		v, err := c.syncBuiltin(ctx, p, grant)
		if err == nil {
			err = c.prune(ctx, v)
		}
		if err != nil {
			return fmt.Errorf("plugin %s: %w", p.Name, err)
		}
	}
	return nil
}

func (c *Catalog) syncBuiltin(ctx context.Context, p builtin.Plugin, grant bool) (octopus.PluginVersion, error) {
	v, err := c.present(ctx, p)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		v, err = c.publishBuiltin(ctx, p)
	}
	if err != nil {
		return v, err
	}
	if err := c.prefer(ctx, v); err != nil || v.Grant != nil {
		return v, err
	}
	m, err := decodeManifest(v)
	if err != nil {
		return v, err
	}
	if (!grant || m.Capabilities.Unsandboxed()) && !c.inherits(ctx, v, m) {
		return v, nil
	}
	return v, c.Grant(ctx, v.Digest, m.Capabilities, System)
}

// present finds a built-in plugin that was published before. It reads all
// versions, which prefer needs too, and which the first run will ask for.
func (c *Catalog) present(ctx context.Context, p builtin.Plugin) (octopus.PluginVersion, error) {
	known, err := c.plugin(ctx, p.Name)
	for _, v := range known.Versions {
		if v.Digest == p.Digest {
			return v, nil
		}
	}
	if err == nil {
		err = octopus.Errorf(octopus.CodeNotFound, "%s has no such build.", p.Name)
	}
	return octopus.PluginVersion{}, err
}

func (c *Catalog) publishBuiltin(ctx context.Context, p builtin.Plugin) (octopus.PluginVersion, error) {
	module, err := p.Module()
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	v, m, err := read(module)
	if err != nil {
		return v, err
	}
	if v.Digest != p.Digest {
		return v, fmt.Errorf("the embedded module is damaged: its digest is %s, not %s", v.Digest, p.Digest)
	}
	if _, err := c.store.Version(ctx, v.Plugin, v.Version); err == nil {
		v.Version += "+" + strings.TrimPrefix(v.Digest, "sha256:")[:8]
	} else if octopus.CodeOf(err) != octopus.CodeNotFound {
		return v, err
	}
	v.CreatedBy, v.CreatedAt = System, c.now()
	if err := c.publish(ctx, v, octopus.SourceBuiltin, m.Description, module); err != nil {
		return v, err
	}
	c.log.Info("built-in plugin published", "plugin", v.Plugin, "version", v.Version, "digest", v.Digest)
	return c.store.VersionByDigest(ctx, v.Digest)
}

// prefer deprecates other builds of the same version, so that the one in this
// binary is what runs, also after a step back to older sources. Where an
// administrator deprecated all of them it stays so.
func (c *Catalog) prefer(ctx context.Context, v octopus.PluginVersion) error {
	p, err := c.plugin(ctx, v.Plugin)
	if err != nil {
		return err
	}
	replaced := false
	for _, other := range p.Versions {
		if other.Digest == v.Digest || other.Status != octopus.VersionPublished || compare(other.Version, v.Version) != 0 {
			continue
		}
		if err := c.SetStatus(ctx, v.Plugin, other.Version, octopus.VersionDeprecated, System); err != nil {
			return err
		}
		replaced = true
	}
	if replaced && v.Status == octopus.VersionDeprecated {
		return c.SetStatus(ctx, v.Plugin, v.Version, octopus.VersionPublished, System)
	}
	return nil
}

// inherits reports whether the newest other version that has a grant was
// granted all that this one asks for.
func (c *Catalog) inherits(ctx context.Context, v octopus.PluginVersion, m spec.Manifest) bool {
	p, err := c.store.Plugin(ctx, v.Plugin)
	if err != nil || p.Source != octopus.SourceBuiltin {
		return false
	}
	var newest *octopus.PluginVersion
	for i, old := range p.Versions {
		if old.Digest != v.Digest && old.Grant != nil && (newest == nil || better(old, *newest)) {
			newest = &p.Versions[i]
		}
	}
	return newest != nil && len(m.Capabilities.Missing(granted(*newest))) == 0
}
