package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"octopus/sdk"
	"octopus/wasmplugins"
)

func TestPluginConfig(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(manifest, `"version":"1.0.0"`, `"version":"1.1.0","config":{"type":"object","required":["region"],"properties":{"region":{"type":"string"}}}`, 1)
	module, err := wasmplugins.Pack(noop, []byte(other))
	if err != nil {
		t.Fatal(err)
	}
	if none, err := w.client.PluginConfig(ctx, "hello"); err != nil || string(none.Config) != "{}" || none.Schema != nil || none.Problems != nil {
		t.Errorf("a plugin without one: %+v %v", none, err)
	}
	if _, err := w.client.UploadPlugin(ctx, module); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.StartRun(ctx, greet(map[string]any{})); err == nil || !strings.Contains(err.Error(), "The setting region is required") {
		t.Errorf("a run without it: %v", err)
	}
	task := sdk.NewTask{Name: "nightly", Work: greet(map[string]any{}).Work}
	if _, err := w.client.CreateTask(ctx, task); err == nil || !strings.Contains(err.Error(), "The setting region is required") {
		t.Errorf("a task without it: %v", err)
	}
	if _, err := w.client.SetPluginConfig(ctx, "hello", json.RawMessage(`{"region":1}`)); err == nil || !strings.Contains(err.Error(), "The setting region") {
		t.Errorf("a number in place of text: %v", err)
	}
	now, err := w.client.SetPluginConfig(ctx, "hello", json.RawMessage(`{"region":"eu"}`))
	if err != nil || string(now.Config) != `{"region":"eu"}` || len(now.Schema) == 0 || now.Problems != nil || now.UpdatedBy != "ada" || now.UpdatedAt.IsZero() {
		t.Errorf("%+v %v", now, err)
	}
	if _, err := w.client.StartRun(ctx, greet(map[string]any{})); err != nil {
		t.Errorf("a run with it: %v", err)
	}
	if now, err = w.client.SetPluginConfig(ctx, "hello", json.RawMessage("null")); err != nil || string(now.Config) != "{}" || len(now.Problems) != 1 {
		t.Errorf("removed: %+v %v", now, err)
	}
	if _, err := w.client.PluginConfig(ctx, "nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("of no plugin: %v", err)
	}
}

// TestTaskThatCannotRunYet: what a form refuses is refused here too.
func TestTaskThatCannotRunYet(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"keeper","version":"1.0.0","actions":[{"name":"go"}],
"capabilities":{"kv":{},"secrets":[{"name":"api_token"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.UploadPlugin(ctx, module); err != nil {
		t.Fatal(err)
	}
	task := sdk.NewTask{Name: "nightly", Work: sdk.Work{Plugin: "keeper", Action: "go"}}
	if _, err := w.client.CreateTask(ctx, task); err == nil || !strings.Contains(err.Error(), "keeper needs the secret api_token. Grant it") {
		t.Errorf("without a grant: %v", err)
	}
	if _, err := w.client.Grant(ctx, sdk.NewGrant{Plugin: "keeper"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.CreateTask(ctx, task); err == nil || !strings.Contains(err.Error(), "needs a value for the secret api_token") {
		t.Errorf("without the secret: %v", err)
	}
	if _, err := w.client.SetSecret(ctx, "api_token", "hunter2"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.CreateTask(ctx, task); err != nil {
		t.Errorf("with all of it: %v", err)
	}
}
