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
	saved.has(t, http.StatusOK, "Saved.", `value="eu"`, "configured it, changed: region")
	if strings.Contains(saved.body, "config-unfit") {
		t.Error("it fits, and the page says that it does not")
	}
	operator := s.as(octopus.RoleOperator)
	operator.get("/plugins/probe").has(t, http.StatusOK, `value="eu"`)
	operator.post("/plugins/probe/config", "version", "1.0.0", "p.region", "us").has(t, http.StatusForbidden)
}
