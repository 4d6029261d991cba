package e2e_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

const sleeperManifest = `{"schema":"octopus.plugin/v1","abi":1,"name":"sleeper","version":"1.0.0","description":"Sleeps.","actions":[{"name":"go","idempotent":true}],"limits":{"timeout":"10m"}}`

const sleeperScript = `
export async function go({ params, octopus }) {
  console.log("it began");
  await octopus.sleep(params.seconds ?? 0);
  return octopus.ok("Slept.");
}`

func sleeper(seconds float64) sdk.StartRun {
	return sdk.StartRun{Work: sdk.Work{Plugin: "sleeper", Action: "go", Params: sdk.JSON(map[string]any{"seconds": seconds})}}
}

// TestFlippedByte changes one bit of a module on an agent's disk: what was changed never runs, is fetched again once,
// and the plugin's history says so.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	agent := w.Agent("web-01")
	publish(t, w, sleeperManifest, sleeperScript)
	if got := w.Run(sleeper(0)); got.Status != "succeeded" {
		t.Fatalf("before: %s", got.Status)
	}
	agent.Stop()
	v, err := w.Client.PluginVersion(t.Context(), "sleeper", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.Folder, "agent-web-01", "cache", "modules", strings.TrimPrefix(v.Digest, "sha256:")+".wasm")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	if err := os.Remove(file); err != nil { // it may be a link to what other tests use
		t.Fatal(err)
	}
	if err := os.WriteFile(file, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	w.Agent("web-01")
	for range 2 {
		if got := w.Run(sleeper(0)); got.Status != "succeeded" {
			t.Fatalf("after: %s", got.Status)
		}
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the module on the disk is still another one, %v", err)
	}
	refused := refusals(t, w)
	if len(refused) != 1 || refused[0].Actor != "web-01" || refused[0].Digest != v.Digest || !strings.Contains(refused[0].Message, "digest differs") {
		t.Errorf("the plugin's history says %+v", refused)
	}
}

// refusals are what agents did not load of the plugin.
func refusals(t *testing.T, w *harness.World) []sdk.PluginEvent {
	t.Helper()
	events, err := w.Client.PluginEvents(t.Context(), "sleeper")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(events.Items, func(e sdk.PluginEvent) bool { return e.Kind != "module_refused" })
}

// TestRevokedVersion stops a version while one execution runs and others wait. The moment it is revoked nothing of it
// starts any more: a new run is refused, and what waits is, when its turn comes. What runs is for people to cancel.
func TestRevokedVersion(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01", "--slots", "1")
	publish(t, w, sleeperManifest, sleeperScript)
	first := w.Running(sleeper(500)) // until it is cancelled
	var waiting []string
	for range 5 {
		run, err := w.Client.StartRun(t.Context(), sleeper(0))
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, run.ID)
	}
	if out, code := w.Octopus("plugins", "revoke-version", "sleeper", "1.0.0"); code != 0 {
		t.Fatalf("revoke-version: exit code %d\n%s", code, out)
	}
	if _, err := w.Client.StartRun(t.Context(), sleeper(0)); err == nil {
		t.Error("a run of a revoked version was accepted")
	}
	if run, err := w.Client.Run(t.Context(), first.ID); err != nil || run.Ended() {
		t.Errorf("what was running: %s, %v", run.Status, err)
	}
	began := time.Now()
	if _, err := w.Client.CancelRun(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range waiting {
		run := w.Ended(id)
		x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
		if err != nil || x.Status != "rejected" || x.Reason == nil || x.Reason.Code != "plugin_revoked" || !x.StartedAt.IsZero() {
			t.Errorf("%s ended as %s (%+v), started at %s, %v", id, x.Status, x.Reason, x.StartedAt, err)
		}
	}
	t.Logf("all had ended %s after there was room", time.Since(began).Round(time.Millisecond))
}
