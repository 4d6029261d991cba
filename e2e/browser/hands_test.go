package browser_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"octopus/sdk"
	"octopus/wasmplugins"
)

// TestByHand is what people do where something went wrong or is new: find out why work waits, close what hangs, take
// back a deletion, publish a plugin. One server and one browser serve all of it.
func TestByHand(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	client := sdk.New(d.URL, d.APIToken)
	whyItWaits(t, d, b, client)
	lateResult(t, d, b, client)
	undo(t, d, b, client)
	upload(t, d, b)
}

func start(t *testing.T, client *sdk.Client, selector string, params map[string]any) sdk.Execution {
	t.Helper()
	run, err := client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{
		Plugin: "echo", Action: "echo", Params: sdk.JSON(params), Target: sdk.Target{Selector: selector},
	}})
	if err != nil || len(run.Executions) != 1 {
		t.Fatalf("%v %+v", err, run)
	}
	return run.Executions[0]
}

// whyItWaits reads on the page why an execution waits, and force-closes it from the menu of its row.
func whyItWaits(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	x := start(t, client, "moon=full", map[string]any{"message": "never"})
	b.do("open what waits", chromedp.Navigate(d.URL+"/executions/"+x.ID))
	b.waitText(css("reason"), "No agent matches moon=full.")
	b.waitText(css("candidates"), "none matches the target")
	b.waitText("#x-head", "It expires, unless")

	b.do("open the list", chromedp.Navigate(d.URL+"/executions?status=queued"))
	b.waitText(css("live-badge"), "Live")
	b.click("row-menu")
	b.do("choose force-close", chromedp.Click(chromedp.CSS(`#menu-executions:popover-open [data-to$="/force-close"] button`), chromedp.NodeVisible))
	b.waitText("#confirm", "kept as evidence only")
	b.click("confirm-yes")
	b.waitText("#toasts", "Closed without its agent")
	b.waitText("#content", "Nothing matches") // the list goes on with its own filter
	if x, err := client.Execution(t.Context(), x.ID); err != nil || x.Status != "cancelled" || x.Reason.Code != "force_closed" {
		t.Errorf("%v %+v", err, x)
	}
}

// lateResult force-closes what runs: its agent answers when nobody waits any more, and the page shows that as evidence.
func lateResult(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	x := start(t, client, "", map[string]any{"message": "too late", "delay_seconds": 120, "log_lines": 600})
	b.do("open what runs", chromedp.Navigate(d.URL+"/executions/"+x.ID))
	b.waitText(css("live-badge"), "Live")
	b.waitText(css("log"), "line 3 of 600")
	b.mark()
	b.click("force-close")
	b.waitText("#confirm", "without waiting for its agent")
	b.click("confirm-yes")
	b.waitText(css("status"), "cancelled")
	b.waitText(css("late-results"), "It stays cancelled.")
	b.waitText("#x-events", "which took it: attempt 1.")
	b.waitText("#x-events", "was kept as evidence")
	x, err := client.Execution(t.Context(), x.ID)
	if err != nil || x.Status != "cancelled" || len(x.LateResults) != 1 || x.Response != nil {
		t.Errorf("%v %+v", err, x)
	}
}

// undo deletes a task and takes that back.
func undo(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	task, err := client.CreateTask(t.Context(), sdk.NewTask{Name: "nightly", Work: sdk.Work{
		Plugin: "echo", Action: "echo", Params: sdk.JSON(map[string]any{"message": "good night"}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	remove := func() {
		b.do("open the task", chromedp.Navigate(d.URL+"/tasks/"+task.ID))
		b.click("delete-task")
		b.click("confirm-yes")
		b.waitText("#toasts", "Deleted nightly.")
	}
	remove()
	if _, err := client.Task(t.Context(), "nightly"); err == nil {
		t.Error("the task is still there")
	}
	b.click("undo")
	b.waitText("#toasts", "Restored")
	b.waitText("#content", "good night")
	if _, err := client.Task(t.Context(), "nightly"); err != nil {
		t.Error(err)
	}
	remove() // and once more, for who comes back later
	b.do("list what was deleted", chromedp.Navigate(d.URL+"/tasks?deleted=true"))
	b.click("restore-task")
	b.waitText("#toasts", "Restored")
}

const manifest = `{"schema": "octopus.plugin/v1", "abi": 1, "name": "mine", "version": "1.0.0", "description": "Made by hand",
"actions": [{"name": "run", "description": "Answer", "params": {"type": "object"}}],
"capabilities": {"http": {"hosts": ["example.com"], "reason": "It asks there"}}, "limits": {"timeout": "30s", "memory": "1MiB"}}`

// upload sends files that are no plugins, then one that is, publishes and grants it.
func upload(t *testing.T, d *dev, b *tab) {
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	good, err := wasmplugins.Pack(noop, []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	other, err := wasmplugins.Pack(noop, []byte(strings.Replace(manifest, "by hand", "again", 1)))
	if err != nil {
		t.Fatal(err)
	}
	b.refused = true
	folder := t.TempDir()
	send := func(name string, content []byte) {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		b.do("open the form", chromedp.Navigate(d.URL+"/plugins"))
		b.click("upload")
		b.do("choose "+name, chromedp.SetUploadFiles(testID("module"), []string{path}))
		b.waitText(css("upload-form"), name)
		b.click("check")
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"letter.wasm", []byte("Dear plugin"), "is not WebAssembly"},
		{"bare.wasm", noop, "has no manifest"},
		{"torn.wasm", good[:len(good)-20], "torn.wasm was not taken."},
	} {
		send(c.name, c.content)
		b.waitText(css("problem"), c.want)
	}

	send("mine.wasm", good)
	b.waitText(css("capabilities"), "example.com")
	b.waitText(css("compared"), "A new plugin.")
	b.click("publish-grant")
	b.waitText("#toasts", "Published and granted.")
	b.waitText(css("grant-state"), "granted")

	send("again.wasm", good)
	b.waitText("#toasts", "published already, as mine 1.0.0")
	send("other.wasm", other)
	b.waitText(css("problem"), "raise the version")
}
