package browser_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"context"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// dev is a running `octopus dev`.
type dev struct {
	*harness.Process
	address string
	folder  string
	flags   []string
	access
}

// access is the first line of `octopus dev --json`.
type access struct {
	URL      string `json:"url"`
	LoginURL string `json:"login_url"`
	APIToken string `json:"api_token"`
}

func startDev(t *testing.T, flags ...string) *dev {
	t.Helper()
	d := &dev{address: harness.FreeAddress(t), folder: t.TempDir(), flags: flags}
	harness.Seed(t, filepath.Join(d.folder, "octopus-data", "agent"))
	d.start(t)
	return d
}

// start starts it (again), at the same address.
func (d *dev) start(t *testing.T) {
	t.Helper()
	d.Process = harness.Start(t, "dev", d.folder, append([]string{"dev", "--json", "--listen", d.address}, d.flags...)...)
	line := d.WaitLine(`"login_url"`)
	if err := json.Unmarshal([]byte(line), &d.access); err != nil {
		t.Fatalf("octopus dev --json printed %q: %v", line, err)
	}
}

// signIn opens the login link and presses its one button.
func (d *dev) signIn(t *testing.T) *tab {
	t.Helper()
	b := open(t)
	b.do("open the login link", chromedp.Navigate(d.LoginURL))
	b.click("login-link")
	b.waitText(css("live-badge"), "Live")
	return b
}

// TestFirstMinutes is the first thing that a new user does: sign in, see the demo run move, run http-check and
// watch it to its result, all without a reload.
func TestFirstMinutes(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("all is well")) }))
	defer site.Close()
	b := d.signIn(t)
	b.mark()
	b.waitText(css("feed"), "echo") // the demo run came by itself
	b.waitText(css("tiles"), "online")
	b.marked()

	b.click("choose-http-check")
	url := chromedp.CSS(`[name="p.url"]`)
	b.do("find this server's own address in the form", chromedp.WaitVisible(url))
	if got, err := chromedp.Run(b.ctx, chromedp.Value(url)); err != nil || !strings.HasPrefix(got, d.URL) {
		t.Errorf("the form's URL is %q, %v", got, err)
	}
	b.do("type another", chromedp.Focus(url), chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		chromedp.SendKeys(url, site.URL))
	b.click("run")
	b.waitText(css("status"), "succeeded")
	b.waitText("#x-result", "200")
	if shown := b.text("#content"); !strings.Contains(shown, site.URL) {
		t.Errorf("the page does not name %s:\n%s", site.URL, shown)
	}
}

// watch opens the page of a run of echo, and returns when it is live.
func (b *tab) watch(d *dev, client *sdk.Client, params map[string]any) sdk.Run {
	b.t.Helper()
	run, err := client.StartRun(b.t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: "echo", Action: "echo", Params: sdk.JSON(params)}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do("open the run", chromedp.Navigate(d.URL+"/runs/"+run.ID))
	b.waitText(css("live-badge"), "Live")
	b.mark()
	return run
}

// TestWatchLive watches executions on their own page: one while it runs, until somebody ends it, and one to its end.
func TestWatchLive(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	client := sdk.New(d.URL, d.APIToken)
	run := b.watch(d, client, map[string]any{"message": "watched", "delay_seconds": 800, "log_lines": 8000})
	b.waitText(css("status"), "running")
	b.waitText(css("log"), "line 3 of 8000")
	if shown := b.text(css("status")); shown != "running" {
		t.Errorf("the third line of the log came when the execution was %s", shown)
	}
	if _, err := client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	b.waitText(css("status"), "cancelled")
	b.marked()

	b.watch(d, client, map[string]any{"message": "watched", "delay_seconds": 3, "log_lines": 30})
	b.waitText(css("status"), "succeeded")
	b.waitText(css("log"), "line 30 of 30")
	if n := logLines(b); n != 30 {
		t.Errorf("%d log lines, want 30", n)
	}
	b.waitText("#x-result", "watched")
	b.marked()
}

// TestServerRestartUnderThePage kills the server under an open page: it says so, comes back by itself, and shows
// what happens then.
func TestServerRestartUnderThePage(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	b.mark()
	d.Kill()
	b.waitText(css("live-badge"), "Reconnecting")
	d.start(t)
	b.waitText(css("live-badge"), "Live")
	client := sdk.New(d.URL, d.APIToken)
	if _, err := client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: "dns-lookup", Action: "lookup",
		Params: sdk.JSON(map[string]any{"name": "localhost"})}}); err != nil {
		t.Fatal(err)
	}
	b.waitText(css("feed"), "dns-lookup")
	b.marked()
}

// TestOfflineAndBack takes the network away from the page and gives it back.
func TestOfflineAndBack(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	b.mark()
	b.do("go offline", offline(true))
	b.waitText(css("live-badge"), "Stale since")
	client := sdk.New(d.URL, d.APIToken)
	if _, err := client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: "disk-usage", Action: "check"}}); err != nil {
		t.Fatal(err)
	}
	b.do("come back", offline(false))
	b.waitText(css("live-badge"), "Live")
	b.waitText(css("feed"), "disk-usage")
}

// offline takes the network away and tells the page, as an operating system would, or gives it back.
func offline(yes bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		var conditions []*network.Conditions
		if yes {
			conditions = []*network.Conditions{{Offline: true, DownloadThroughput: -1, UploadThroughput: -1}}
		}
		_, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule,
			network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: conditions})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, network.OverrideNetworkState,
			network.OverrideNetworkStateParams{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	})
}

// logLines counts the lines that the page shows.
func logLines(b *tab) int {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.querySelectorAll(`+quote(css("log")+" li")+`).length`))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}
