package api_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/wasmplugins"
)

// greeter is the plugin of these tests in another version.
func greeter(t testing.TB, version string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(manifest, `"version":"1.0.0"`, `"version":"`+version+`"`, 1)
	if other == manifest {
		t.Fatal("the manifest has another version")
	}
	module, err := wasmplugins.Pack(noop, []byte(other))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// shares is what runs get, in words.
func shares(t testing.TB, c *sdk.Client, wish string) string {
	t.Helper()
	page, err := c.Shares(t.Context(), "hello", wish)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range page.Items {
		out = append(out, fmt.Sprintf("%s %d%% (%s)", s.Version, s.Percent, s.Ring))
	}
	return strings.Join(out, ", ")
}

// follow runs something with a wish on every agent, and waits for its end.
func follow(t testing.TB, c *sdk.Client, wish string, fail, dry bool) sdk.Run {
	t.Helper()
	start := greet(map[string]any{"fail": fail})
	start.Version, start.DryRun, start.Target = wish, dry, sdk.Target{Mode: "all"}
	run, err := c.StartRun(t.Context(), start, sdk.WithWait(time.Minute))
	if err != nil || run.FinishedAt.IsZero() {
		t.Fatalf("%v %+v", err, run)
	}
	return run
}

func TestRings(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	for i := range 6 { // of a run on all of them five count
		w.agent(strings.Repeat("a", i+1), 4)
	}
	v, err := w.client.UploadPluginInto(ctx, greeter(t, "1.1.0"), "canary")
	if err != nil || v.Ring != "canary" || v.RingMovedBy != "ada" {
		t.Fatalf("%v %+v", err, v)
	}
	if got := shares(t, w.client, ""); got != "1.0.0 95% (all), 1.1.0 5% (canary)" {
		t.Errorf("runs get %s", got)
	}
	follow(t, w.client, "1.1.0", true, false) // who names a version exactly follows nothing
	follow(t, w.client, "canary", true, true) // what was not done says little
	for range 5 {
		follow(t, w.client, "all", false, false)
	}
	w.outcomes("1.0.0", &sdk.Outcomes{Succeeded: 25})
	w.outcomes("1.1.0", nil)
	for range 4 {
		if run := follow(t, w.client, "canary", true, false); run.PluginVersion != "1.1.0" {
			t.Fatalf("canary is %s", run.PluginVersion)
		}
	}
	for deadline := time.Now().Add(time.Minute); !v.Held; time.Sleep(50 * time.Millisecond) {
		if v, err = w.client.PluginVersion(ctx, "hello", "1.1.0"); err != nil || time.Now().After(deadline) {
			t.Fatalf("it was not held: %v %+v", err, v)
		}
	}
	if v.HeldWhy != "20 of 20 executions failed (100 %), against 0 of 25 (0 %) with 1.0.0." || v.RingMovedBy != "octopus" {
		t.Errorf("held: %+v", v)
	}
	if run := follow(t, w.client, "canary", false, false); run.PluginVersion != "1.0.0" {
		t.Errorf("after it was held canary is %s", run.PluginVersion)
	}
	if err := w.client.ChangeVersion(ctx, "hello", "1.1.0", "resume"); err != nil {
		t.Error(err)
	}
	if err := w.client.SetRing(ctx, "hello", "1.1.0", "all"); err != nil {
		t.Error(err)
	}
	if got := shares(t, w.client, ""); got != "1.1.0 100% (all)" {
		t.Errorf("runs get %s", got)
	}
	done, err := w.client.RollBackPlugin(ctx, "hello", "")
	if err != nil || done.Version != "1.0.0" || fmt.Sprint(done.Held) != "[1.1.0]" {
		t.Errorf("%v %+v", err, done)
	}
	if got := shares(t, w.client, "^1"); got != "1.0.0 100% (all)" {
		t.Errorf("runs get %s", got)
	}
	events, err := w.client.PluginEvents(ctx, "hello")
	if err != nil || len(events.Items) < 5 || events.Items[0].Kind != "ring_moved" || events.Items[0].Message != "held: Rolled back to 1.0.0 by ada." {
		t.Errorf("%v %+v", err, events.Items)
	}
}

// outcomes fails unless a version's are as expected: they are written with the end of the execution.
func (w *world) outcomes(version string, want *sdk.Outcomes) {
	w.t.Helper()
	v, err := w.client.PluginVersion(w.t.Context(), "hello", version)
	if err != nil || fmt.Sprintf("%+v", v.Outcomes) != fmt.Sprintf("%+v", want) {
		w.t.Fatalf("outcomes of %s: %v %+v, want %+v", version, err, v.Outcomes, want)
	}
}

func TestRingsNeedAnAdministrator(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	operator := w.user("otto", octopus.RoleOperator)
	for name, err := range map[string]error{
		"ring": operator.SetRing(ctx, "hello", "1.0.0", "canary"), "hold": operator.ChangeVersion(ctx, "hello", "1.0.0", "hold"),
		"resume": operator.ChangeVersion(ctx, "hello", "1.0.0", "resume"),
	} {
		if err == nil || !strings.Contains(err.Error(), "role admin") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := operator.RollBackPlugin(ctx, "hello", ""); err == nil || !strings.Contains(err.Error(), "role admin") {
		t.Errorf("roll back: %v", err)
	}
	for _, r := range []refusal{
		{"no such ring", "POST", "/plugins/hello/versions/1.0.0/ring", `{"ring":"beta"}`, nil, 422, "invalid", "/ring", ""},
		{"no such version", "POST", "/plugins/hello/versions/9.0.0/ring", `{"ring":"all"}`, nil, 404, "not_found", "", "1.0.0"},
		{"no such plugin", "POST", "/plugins/helo/rollback", `{}`, nil, 404, "not_found", "", "did you mean hello"},
		{"nothing below", "POST", "/plugins/hello/rollback", ``, nil, 409, "conflict", "", "no version below 1.0.0"},
		{"no such wish", "GET", "/plugins/hello/rings?version=beta", ``, nil, 422, "invalid", "/version", "canary, early or all"},
	} {
		t.Run(r.name, func(t *testing.T) { r.check(t, w) })
	}
}
