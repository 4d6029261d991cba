package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"octopus/sdk"
	"octopus/wasmplugins"
)

// fickle is a version of a plugin that answers at once, or one that runs out of what it may execute.
func fickle(t *testing.T, version, limits string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"fickle","version":"`+version+`","actions":[{"name":"run"}],"limits":`+limits+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// runFickle starts runs that wish for a version, and returns when all have ended, as the same version and in the same
// state.
func runFickle(t *testing.T, client *sdk.Client, n int, wish, version, status string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var ids []string
	for range n {
		run, err := client.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: "fickle", Version: wish, Action: "run"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	for _, id := range ids {
		run, err := client.WaitRun(ctx, id)
		if err != nil || len(run.Executions) != 1 || run.Executions[0].PluginVersion != version || run.Executions[0].Status != status {
			t.Fatalf("a run that wished for %q: %+v, %v", wish, run.Executions, err)
		}
	}
}

// TestRings: a new version reaches a few runs, fails there and is held by itself; a person resumes it, promotes it ring
// by ring, takes it back with one click, and takes that back.
func TestRings(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	client := sdk.New(d.URL, d.APIToken)
	if _, err := client.UploadPlugin(t.Context(), fickle(t, "1.0.0", `{}`)); err != nil {
		t.Fatal(err)
	}
	intoCanary(t, d, b)
	b.waitText(css("runs-get"), "1.1.0 (5 %), 1.0.0 (95 %)")
	b.waitText(css("version-1.1.0"), "canary, 5 %")

	runFickle(t, client, 20, "all", "1.0.0", "succeeded")
	runFickle(t, client, 20, "canary", "1.1.0", "failed")
	waitHeld(t, client)
	b.do("look again", chromedp.Navigate(d.URL+"/plugins/fickle"))
	b.waitText(css("held"), "1.1.0 is held. 20 of 20 executions failed (100 %), against 0 of 20 (0 %) with 1.0.0.")
	b.waitText(css("runs-get"), "Runs get 1.0.0")
	b.waitText(css("history"), "held. 20 of 20 executions failed")
	runFickle(t, client, 1, "canary", "1.0.0", "succeeded") // what wished for it gets the one before

	b.click("resume")
	b.waitText("#toasts", "Resumed.")
	b.waitText(css("runs-get"), "1.1.0 (5 %), 1.0.0 (95 %)")
	b.waitText(css("version-1.1.0"), "on trial")
	in := func(version, button string) {
		b.do(button+" of "+version, chromedp.Click(chromedp.CSS(css("version-"+version)+" "+css(button)), chromedp.NodeVisible))
	}
	in("1.1.0", "ring")
	b.waitText(css("runs-get"), "1.1.0 (25 %), 1.0.0 (75 %)")
	in("1.1.0", "ring")
	b.waitText("#toasts", "1.1.0 is in the ring all.")
	if got := b.text(css("runs-get")); got != "Runs get 1.1.0" {
		t.Errorf("promoted to all: %s", got)
	}
	runFickle(t, client, 1, "", "1.1.0", "failed")

	in("1.0.0", "rollback")
	b.waitText("#confirm", "1.1.0")
	b.click("confirm-yes")
	b.waitText("#toasts", "Rolled back: runs get 1.0.0.")
	b.waitText(css("held"), "1.1.0 is held. Rolled back to 1.0.0 by dev.")
	runFickle(t, client, 1, "", "1.0.0", "succeeded")
	b.click("undo")
	b.waitText("#toasts", "Resumed.")
	if got := b.text(css("runs-get")); got != "Runs get 1.1.0" {
		t.Errorf("taken back: %s", got)
	}
}

// intoCanary uploads the version that fails and publishes it for a few runs.
func intoCanary(t *testing.T, d *dev, b *tab) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fickle.wasm")
	if err := os.WriteFile(path, fickle(t, "1.1.0", `{"fuel":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do("open the form", chromedp.Navigate(d.URL+"/upload"))
	b.do("choose the file", chromedp.SetUploadFiles(testID("module"), []string{path}))
	b.waitText(css("upload-form"), "fickle.wasm")
	b.click("check")
	b.waitText(css("compared"), "Runs get 1.0.0 now.")
	b.do("choose canary", chromedp.SendKeys(testID("ring"), "canary"))
	b.click("publish")
	b.waitText("#toasts", "Published")
}

// waitHeld returns when the version that failed is held. The server sees to that within a second after the last of
// the executions; here it has the patience of a page.
func waitHeld(t *testing.T, client *sdk.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := client.PluginVersion(ctx, "fickle", "1.1.0")
		if err == nil && v.Held {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it is not held: %+v, %v", v, err)
		}
	}
}
