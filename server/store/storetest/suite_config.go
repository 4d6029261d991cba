package storetest

import (
	"encoding/json"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func testPluginConfig(t *testing.T, s *store.Store) {
	ctx := t.Context()
	set := func(plugin, config string) error {
		return s.SetPluginConfig(ctx, octopus.PluginConfig{Plugin: plugin, Config: json.RawMessage(config), UpdatedBy: "ada"}, "told "+config)
	}
	equal(t, "of no plugin", octopus.CodeOf(set("noop", "{}")), octopus.CodeNotFound)
	check(t, s.PublishVersion(ctx, version("noop", "1.0.0", "sha256:0"), "uploaded", "", nil))
	_, err := s.PluginConfig(ctx, "noop")
	equal(t, "before", octopus.CodeOf(err), octopus.CodeNotFound)
	for _, config := range []string{`{"region":"eu"}`, `{"region":"us","a":[1]}`} {
		before := s.PluginChanges()
		check(t, set("noop", config))
		c, err := s.PluginConfig(ctx, "noop")
		check(t, err)
		equal(t, "config", string(c.Config), config)
		equal(t, "by", c.UpdatedBy, "ada")
		equal(t, "has a time", c.UpdatedAt.IsZero(), false)
		equal(t, "what is remembered of plugins is forgotten", s.PluginChanges() > before, true)
	}
	check(t, set("noop", ""))
	_, err = s.PluginConfig(ctx, "noop")
	equal(t, "after", octopus.CodeOf(err), octopus.CodeNotFound)
	events, _, err := s.PluginEvents(ctx, "noop", store.Page{})
	check(t, err)
	told := 0
	for _, e := range events {
		if e.Kind == octopus.PluginConfigured && e.Actor == "ada" {
			told++
		}
	}
	equal(t, "lines in the history", told, 3)
}
