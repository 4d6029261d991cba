package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/wasmplugins"
)

// configurable is a version whose manifest has a schema for its configuration, "" for none.
func configurable(t testing.TB, version, schema string) []byte {
	t.Helper()
	if schema != "" {
		schema = `,"config":` + schema
	}
	module, err := wasmplugins.Pack(noop(t), fmt.Appendf(nil, `{"schema":"octopus.plugin/v1","abi":1,"name":"probe","version":%q,"actions":[{"name":"run"}]%s}`, version, schema))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestConfig(t *testing.T) {
	t.Parallel()
	c, s := open(t)
	ctx := t.Context()
	v := upload(t, c, configurable(t, "1.0.0", `{"type":"object","additionalProperties":false,"required":["region"],
		"properties":{"region":{"enum":["eu","us"]},"depth":{"type":"integer","default":2}}}`))
	if _, err := c.Config(ctx, v); err == nil || !strings.Contains(err.Error(), "cannot run with its configuration: The setting region is required. An administrator changes it") {
		t.Errorf("before it is filled in: %v", err)
	}
	if said := c.Mismatch(ctx, octopus.Work{Plugin: "probe", Action: "run"}); !strings.Contains(said, "The setting region is required") {
		t.Errorf("a task says %q", said)
	}
	for config, want := range map[string]string{
		`{"region":"mars"}`:           "/config/region",
		`{"region":"eu","depth":"x"}`: "/config/depth",
		`{"region":"eu","a":1}`:       "is not a setting of this plugin",
		`[]`:                          "The configuration must be a JSON object",
		`{"region":"eu","region":1`:   "The configuration is not valid JSON",
		`{"region":"` + strings.Repeat("x", 40<<10) + `"}`: "over 32 KiB",
	} {
		err := c.SetConfig(ctx, "probe", json.RawMessage(config), "ada")
		var known *octopus.Error
		if !errors.As(err, &known) || !strings.Contains(fmt.Sprint(known.Message, known.Fields), want) {
			t.Errorf("%.60s: %+v, want %s", config, known, want)
		}
	}
	for range 2 { // the second time nothing changes, and nothing is noted
		if err := c.SetConfig(ctx, "probe", json.RawMessage(`{ "region": "us" }`), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Config(ctx, v); err != nil || string(got) != `{"depth":2,"region":"us"}` {
		t.Errorf("it gets %s, %v", got, err)
	}
	if config, err := c.ConfigOf(ctx, "probe"); err != nil || config.UpdatedBy != "ada" || string(config.Config) != `{"region":"us"}` {
		t.Errorf("stored is %s, %v", config.Config, err)
	}
	if err := c.SetConfig(ctx, "probe", nil, "bob"); err != nil {
		t.Fatal(err)
	}
	events, _, err := s.PluginEvents(ctx, "probe", store.Page{})
	var told []string
	for _, e := range events {
		if e.Kind == octopus.PluginConfigured {
			told = append(told, e.Actor+" "+e.Message)
		}
	}
	if got := strings.Join(told, ", "); err != nil || got != "ada changed: region, bob changed: without region" {
		t.Errorf("the history says %s, %v", got, err)
	}
}

// TestConfigOfVersions: what was filled in is the plugin's, and each version judges it by its own schema.
func TestConfigOfVersions(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	ctx := t.Context()
	plain := upload(t, c, configurable(t, "1.0.0", ""))
	if err := c.SetConfig(ctx, "probe", json.RawMessage(`{"a":1}`), "ada"); err == nil || !strings.Contains(err.Error(), "takes no configuration") {
		t.Errorf("without a schema: %v", err)
	}
	upload(t, c, configurable(t, "1.1.0", `{"type":"object"}`))
	if err := c.SetConfig(ctx, "probe", json.RawMessage(`{"a":"x"}`), "ada"); err != nil {
		t.Fatal(err)
	}
	if problems, err := c.Unfit(ctx, "probe"); err != nil || len(problems) != 0 {
		t.Errorf("%q, %v", problems, err)
	}
	upload(t, c, configurable(t, "1.2.0", `{"type":"object","properties":{"a":{"type":"integer"}}}`))
	problems, err := c.Unfit(ctx, "probe")
	if err != nil || len(problems) != 1 || !strings.HasPrefix(problems[0], "probe 1.2.0 cannot run with its configuration: The setting a ") {
		t.Errorf("%q, %v", problems, err)
	}
	if got, err := c.Config(ctx, plain); err != nil || got != nil {
		t.Errorf("a version without a schema gets %s, %v", got, err)
	}
	if err := c.SetConfig(ctx, "nothing", json.RawMessage(`{}`), "ada"); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Errorf("of no plugin: %v", err)
	}
}
