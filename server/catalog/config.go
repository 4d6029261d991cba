package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/cache"
)

// MaxConfig is the size in bytes that a plugin's configuration may have: it
// travels in offers, beside the parameters.
const MaxConfig = 32 << 10

// ConfigOf is what administrators filled in for a plugin, nothing where nobody
// did.
func (c *Catalog) ConfigOf(ctx context.Context, plugin string) (octopus.PluginConfig, error) {
	return cache.Load(c.cache, cache.Plugins, "config:"+plugin, func() (octopus.PluginConfig, error) {
		config, err := c.store.PluginConfig(ctx, plugin)
		if octopus.CodeOf(err) == octopus.CodeNotFound {
			return octopus.PluginConfig{Plugin: plugin}, nil
		}
		return config, err
	})
}

// Config is the configuration with which a version runs: what was filled in,
// with the defaults of the version's schema. It is nil for a version without a
// schema. What does not fit is CodeInvalid, with a sentence that says what to do.
func (c *Catalog) Config(ctx context.Context, v octopus.PluginVersion) (json.RawMessage, error) {
	config, err := c.ConfigOf(ctx, v.Plugin)
	if err != nil {
		return nil, err
	}
	out, err := c.fit(ctx, v, config.Config)
	var known *octopus.Error
	if errors.As(err, &known) {
		return nil, octopus.InvalidField("/plugin", "%s %s cannot run with its configuration: %s An administrator changes it on the plugin's page, or with octopus plugins config %s.",
			v.Plugin, v.Version, strings.TrimSuffix(known.Message, ".")+".", v.Plugin)
	}
	return out, err
}

// fit compares a configuration with the schema of a version.
func (c *Catalog) fit(ctx context.Context, v octopus.PluginVersion, config json.RawMessage) (json.RawMessage, error) {
	schema, err := cache.Load(c.cache, cache.Plugins, "config-schema:"+v.Digest, func() (*Params, error) {
		m, err := c.Manifest(ctx, v.Digest)
		if err != nil || len(m.Config) == 0 {
			return nil, err
		}
		return CompileParams(m.Config)
	})
	if err != nil || schema == nil {
		return nil, err
	}
	out, err := schema.Check(config)
	return out, asSettings(err)
}

// FitConfig is a configuration with the defaults of a manifest's schema, for
// tools without a catalogue. It is nil where the manifest has none.
func FitConfig(m spec.Manifest, config json.RawMessage) (json.RawMessage, error) {
	if len(m.Config) == 0 {
		if len(config) > 0 {
			return nil, octopus.InvalidField("/config", "%s %s takes no configuration: its manifest has no config.", m.Name, m.Version)
		}
		return nil, nil
	}
	schema, err := CompileParams(m.Config)
	if err != nil {
		return nil, err
	}
	out, err := schema.Check(config)
	return out, asSettings(err)
}

// asSettings says of a configuration what is said of parameters.
func asSettings(err error) error {
	var e *octopus.Error
	if !errors.As(err, &e) {
		return err
	}
	words := strings.NewReplacer("The parameters are ", "The configuration is ", "The parameters", "The configuration", "The parameter ", "The setting ", "a parameter of this action", "a setting of this plugin")
	out := &octopus.Error{Code: e.Code, Message: words.Replace(e.Message)}
	for _, f := range e.Fields {
		f.Field, f.Message = "/config"+strings.TrimPrefix(f.Field, "/params"), words.Replace(f.Message)
		out.Fields = append(out.Fields, f)
	}
	return out
}

// Unfit says of each version that runs may get why it does not run with a
// configuration, a sentence each; nil where all do.
func (c *Catalog) Unfit(ctx context.Context, plugin string) (problems []string, err error) {
	shares, err := c.Shares(ctx, plugin, "")
	if err != nil {
		return nil, err
	}
	for _, s := range shares {
		if _, err := c.Config(ctx, s.Version); err != nil {
			problems = append(problems, octopus.Sentence(err))
		}
	}
	return problems, nil
}

// SetConfig replaces the configuration of a plugin; nil removes it. It must
// fit one of the versions that runs get: of those in rings others may want
// another one.
func (c *Catalog) SetConfig(ctx context.Context, plugin string, config json.RawMessage, by string) error {
	if len(config) > MaxConfig {
		return octopus.Errorf(octopus.CodeTooLarge, "The configuration is over %d KiB.", MaxConfig>>10)
	}
	if len(config) > 0 {
		if err := c.fitsSome(ctx, plugin, config); err != nil {
			return err
		}
		var short bytes.Buffer
		if err := json.Compact(&short, config); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		config = short.Bytes()
	}
	before, err := c.ConfigOf(ctx, plugin)
	if err != nil {
		return err
	}
	told := changedNames(before.Config, config)
	if told == "" {
		return nil
	}
	if err := c.store.SetPluginConfig(ctx, octopus.PluginConfig{Plugin: plugin, Config: config, UpdatedBy: by}, told); err != nil {
		return err
	}
	c.changed()
	c.log.Info("plugin configured", "plugin", plugin, "by", by)
	return nil
}

func (c *Catalog) fitsSome(ctx context.Context, plugin string, config json.RawMessage) error {
	shares, err := c.Shares(ctx, plugin, "")
	if err != nil {
		return err
	}
	var first error
	for _, s := range shares {
		m, err := c.Manifest(ctx, s.Version.Digest)
		if err != nil {
			return err
		}
		if len(m.Config) == 0 {
			err = octopus.InvalidField("/config", "%s %s takes no configuration: its manifest has no config.", plugin, s.Version.Version)
		} else if _, err = c.fit(ctx, s.Version, config); err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// changedNames is which settings differ, in words: names only, as values may
// be long. It is "" where nothing differs.
func changedNames(before, after json.RawMessage) string {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_ = json.Unmarshal(before, &was) // nothing is an empty object, and what is stored was one
	_ = json.Unmarshal(after, &is)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if old, ok := was[name]; !ok || !sameJSON(old, is[name]) {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			names = append(names, "without "+name)
		}
	}
	if len(names) == 0 && (len(before) == 0) == (len(after) == 0) {
		return ""
	}
	if len(names) == 0 {
		return "with the defaults"
	}
	return fmt.Sprintf("changed: %.500s", strings.Join(names, ", "))
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
