package api_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/wasmplugins"
)

// publish puts a version of another plugin into the catalogue.
func (w *world) publish(name, version, capabilities string) sdk.PluginVersion {
	w.t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		w.t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"`+name+`","version":"`+version+`","actions":[{"name":"run"}],"capabilities":`+capabilities+`}`))
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := w.client.UploadPlugin(w.t.Context(), module)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// grants is a list of grants in words.
func grants(t testing.TB, c *sdk.Client, f sdk.GrantFilter) string {
	t.Helper()
	var out []string
	for g, err := range sdk.All(func(cursor string) (sdk.Page[sdk.Grant], error) {
		f.Cursor = cursor
		return c.Grants(t.Context(), f)
	}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", g.Plugin, g.Version, g.State, g.GrantedBy))
	}
	return strings.Join(out, ", ")
}

func TestListOfGrants(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	viewer := w.user("vic", octopus.RoleViewer)
	for _, v := range []struct{ name, version, capabilities string }{
		{"zone", "1.0.0", `{"env":["TZ"]}`}, {"zone", "1.1.0", `{"env":["TZ"],"http":{"hosts":["example.com"]}}`}, {"keep", "1.0.0", `{"kv":{}}`},
	} {
		w.publish(v.name, v.version, v.capabilities)
		if _, err := w.client.Grant(ctx, sdk.NewGrant{Plugin: v.name, Version: v.version}); err != nil {
			t.Fatal(err)
		}
	}
	for want, f := range map[string]sdk.GrantFilter{
		"keep 1.0.0 in_force ada, zone 1.1.0 in_force ada, zone 1.0.0 older ada": {List: sdk.List{Limit: 1}},
		"zone 1.0.0 older ada, zone 1.1.0 in_force ada, keep 1.0.0 in_force ada": {List: sdk.List{Sort: "granted_at"}},
		"keep 1.0.0 in_force ada":                        {Plugin: "keep"},
		"zone 1.1.0 in_force ada":                        {Capability: "http"},
		"zone 1.0.0 older ada":                           {State: "older"},
		"zone 1.1.0 in_force ada, zone 1.0.0 older ada ": {Text: "TZ"},
		"": {GrantedBy: "octopus"},
	} {
		if got := grants(t, viewer, f); got != strings.TrimSpace(want) {
			t.Errorf("%+v lists %q, want %q", f, got, want)
		}
	}
	v, err := w.client.PluginVersion(ctx, "zone", "1.1.0")
	if err != nil || v.Grant == nil {
		t.Fatal(err, v)
	}
	g, err := viewer.GrantOf(ctx, v.Digest)
	if err != nil || g.State != "in_force" || strings.Join(g.Allows, ", ") != "http to example.com, the environment variable TZ" {
		t.Errorf("%+v %v", g, err)
	}
	if err := viewer.RevokeGrant(ctx, v.Digest); !sdk.IsDenied(err) {
		t.Errorf("a viewer revokes: %v", err)
	}
	if err := w.client.RevokeGrant(ctx, v.Digest); err != nil {
		t.Fatal(err)
	}
	if got := grants(t, viewer, sdk.GrantFilter{Plugin: "zone"}); got != "zone 1.1.0 revoked ada, zone 1.0.0 in_force ada" {
		t.Errorf("after it was revoked: %s", got)
	}
	for query, field := range map[string]string{"capability=magic": "capability", "state=odd": "state", "cursor=x": "cursor", "sort=name": "sort"} {
		if a := w.raw("GET", "/api/v1/grants?"+query, ""); a.StatusCode != http.StatusUnprocessableEntity || len(a.problem.Errors) != 1 || a.problem.Errors[0].Field != field {
			t.Errorf("%s: %d %s", query, a.StatusCode, a.body)
		}
	}
}

func TestSwitchPlugins(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.publish("zone", "1.0.0", `{}`)
	w.publish("zone", "1.1.0", `{}`)
	if err := w.client.ChangeVersion(ctx, "zone", "1.0.0", "revoke"); err != nil {
		t.Fatal(err)
	}
	do := func(enabled bool, refs ...sdk.PluginRef) string {
		t.Helper()
		done, err := w.client.SwitchPlugins(ctx, sdk.SwitchPlugins{Enabled: enabled, Plugins: refs})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range done.Items {
			text := strings.TrimSpace(fmt.Sprint(x.Plugin, " ", x.Version)) + fmt.Sprint(" ", x.Changed, " ", x.Was)
			if x.Error != nil {
				text += " " + x.Error.Code
			}
			out = append(out, text)
		}
		return strings.Join(out, ", ")
	}
	got := do(false, sdk.PluginRef{Plugin: "hello"}, sdk.PluginRef{Plugin: "nothing"}, sdk.PluginRef{Plugin: "zone", Version: "1.1.0"},
		sdk.PluginRef{Plugin: "zone", Version: "1.0.0"}, sdk.PluginRef{Plugin: "zone", Version: "9.9.9"}, sdk.PluginRef{Plugin: "hello"})
	if got != "hello true published, nothing false  not_found, zone 1.1.0 true published, zone 1.0.0 false revoked conflict, zone 9.9.9 false  not_found, hello false disabled" {
		t.Errorf("disabled: %s", got)
	}
	if _, err := w.client.StartRun(ctx, greet(map[string]any{})); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("a disabled plugin: %v", err)
	}
	if got := do(true, sdk.PluginRef{Plugin: "hello"}, sdk.PluginRef{Plugin: "zone", Version: "1.1.0"}); got != "hello true disabled, zone 1.1.0 true disabled" {
		t.Errorf("enabled: %s", got)
	}
	events, err := w.client.PluginEvents(ctx, "hello")
	if err != nil || len(events.Items) != 3 || events.Items[0].Message != "enabled" || events.Items[1].Message != "disabled" || events.Items[0].Actor != "ada" {
		t.Errorf("one line each: %+v %v", events, err)
	}
	for body, field := range map[string]string{`{"enabled":true,"plugins":[]}`: "/plugins", `{"plugins":[{"plugin":"hello"}]}`: "/enabled", `{"enabled":true,"plugins":[{"plugin":""}]}`: "/plugins/0/plugin"} {
		if a := w.raw("POST", "/api/v1/plugins/switch", body); a.StatusCode != http.StatusUnprocessableEntity || len(a.problem.Errors) == 0 || a.problem.Errors[0].Field != field {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
	operator := w.user("otto", octopus.RoleOperator)
	if _, err := operator.SwitchPlugins(ctx, sdk.SwitchPlugins{Plugins: []sdk.PluginRef{{Plugin: "hello"}}}); !sdk.IsDenied(err) {
		t.Errorf("an operator switches: %v", err)
	}
	// A plugin of that name is a plugin like others.
	w.publish("switch", "1.0.0", `{}`)
	if p, err := w.client.Plugin(ctx, "switch"); err != nil || p.Name != "switch" {
		t.Errorf("%+v %v", p, err)
	}
}

func TestAgentsOfAVersion(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	g := w.agent("web-1", 4)
	v, err := w.client.PluginVersion(ctx, "hello", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if page, err := w.client.VersionAgents(ctx, "hello", "1.0.0", sdk.List{}); err != nil || page.Items == nil || len(page.Items) != 0 {
		t.Errorf("before anything: %+v %v", page, err)
	}
	if err := w.store.NoteFetch(ctx, v.Digest, g.id); err != nil {
		t.Fatal(err)
	}
	follow(t, w.client, "", false, false)
	page, err := w.client.VersionAgents(ctx, "hello", "1.0.0", sdk.List{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	if a := page.Items[0]; a.AgentName != "web-1" || a.AgentID != g.id || a.Fetches != 1 || a.Runs != 1 || a.RanAt.Before(a.FetchedAt) {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{"/api/v1/plugins/none/versions/1.0.0/agents", "/api/v1/plugins/hello/versions/9.9.9/agents"} {
		if a := w.raw("GET", path, ""); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}
