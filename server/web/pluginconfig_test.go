package web

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

// TestPluginConfigForm: an administrator fills in what a plugin's schema asks for; what is wrong is beside its field, and
// what was typed stays. Operators see it and cannot change it.
func TestPluginConfigForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"probe","version":"1.0.0","actions":[{"name":"go"}],
"config":{"type":"object","required":["region"],"properties":{"region":{"type":"string","minLength":2},"depth":{"type":"integer","default":2}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.catalog.Upload(t.Context(), module, "root"); err != nil {
		t.Fatal(err)
	}
	b := s.as(octopus.RoleAdmin)
	b.get("/plugins/probe").has(t, http.StatusOK, "plugin-config", "config-unfit", "The setting region is required", "p.region")
	b.post("/tasks", "name", "nightly", "plugin", "probe", "action", "go").has(t, http.StatusUnprocessableEntity, "The setting region is required")
	b.post("/plugins/probe/config", "version", "1.0.0", "p.region", "x", "p.depth", "7").has(t, http.StatusUnprocessableEntity, "p.region-error", `value="7"`)
	b.post("/plugins/probe/config", "version", "1.0.0", "p.region", "eu", "p.depth", "deep").has(t, http.StatusUnprocessableEntity, `value="deep"`)
	saved := b.post("/plugins/probe/config", "version", "1.0.0", "p.region", "eu")
	saved.has(t, http.StatusOK, "Saved.", `value="eu"`, "configured, changed: region")
	if strings.Contains(saved.body, "config-unfit") {
		t.Error("it fits, and the page says that it does not")
	}
	operator := s.as(octopus.RoleOperator)
	operator.get("/plugins/probe").has(t, http.StatusOK, `value="eu"`)
	operator.post("/plugins/probe/config", "version", "1.0.0", "p.region", "us").has(t, http.StatusForbidden)
}

// TestConfigOfOtherVersions: the form of one version keeps what only another one knows, says so, and removes it where
// that is asked for.
func TestConfigOfOtherVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	for version, properties := range map[string]string{"1.0.0": `"region":{"type":"string"}`, "1.1.0": `"region":{"type":"string"},"depth":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}`} {
		module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"probe","version":"`+version+`","actions":[{"name":"go"}],
"config":{"type":"object","properties":{`+properties+`}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.catalog.Upload(t.Context(), module, "root"); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() string {
		t.Helper()
		config, err := s.store.PluginConfig(t.Context(), "probe")
		if err != nil {
			t.Fatal(err)
		}
		return string(config.Config)
	}
	b := s.as(octopus.RoleAdmin)
	b.post("/plugins/probe/config", "version", "1.1.0", "p.region", "eu", "p.depth", "3", "p.tags", "a\nb").has(t, http.StatusOK, "Saved.")
	p := b.get("/plugins/probe?version=1.0.0")
	p.has(t, http.StatusOK, "Not settings of 1.0.0", "depth: 3", `name="drop" value="tags"`)
	checkMarkup(t, p)
	if newest := b.get("/plugins/probe"); strings.Contains(newest.body, "config-others") {
		t.Error("the newest version knows them all")
	}
	b.post("/plugins/probe/config", "version", "1.0.0", "p.region", "us").has(t, http.StatusOK, "Kept, which 1.0.0 does not have: depth, tags.", `value="us"`)
	if got := stored(); got != `{"depth":3,"region":"us","tags":["a","b"]}` {
		t.Errorf("stored %s", got)
	}
	b.post("/plugins/probe/config", "version", "1.0.0", "p.region", "us", "drop", "depth").has(t, http.StatusOK, "does not have: tags.", "without depth")
	if got := stored(); got != `{"region":"us","tags":["a","b"]}` {
		t.Errorf("stored %s", got)
	}
}

// TestConfigThatOnlyAnotherVersionTakes: why it is refused is said, also where no field stands for it.
func TestConfigThatOnlyAnotherVersionTakes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	publish := func(version, properties string) {
		t.Helper()
		module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"probe","version":"`+version+`","actions":[{"name":"go"}],
"config":{"type":"object","additionalProperties":false,"properties":{`+properties+`}}}`))
		if err == nil {
			_, err = s.catalog.Upload(t.Context(), module, "root")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("1.0.0", `"depth":{"type":"integer"}`)
	if err := s.catalog.SetConfig(t.Context(), "probe", []byte(`{"depth":3}`), "root"); err != nil {
		t.Fatal(err)
	}
	publish("1.1.0", `"region":{"type":"string"}`)
	b := s.as(octopus.RoleAdmin)
	b.post("/plugins/probe/config", "version", "1.1.0", "p.region", "eu").has(t, http.StatusUnprocessableEntity, "The setting depth is not a setting of this plugin", `value="eu"`, "config-others")
	b.post("/plugins/probe/config", "version", "1.1.0", "p.region", "eu", "drop", "depth").has(t, http.StatusOK, "Saved.", `value="eu"`)
}
