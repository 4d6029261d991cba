package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"octopus/sdk"
)

const password = "correct horse battery"

// member makes a user and signs in with a browser of its own.
func (d *dev) member(t *testing.T, client *sdk.Client, name, role string) *tab {
	t.Helper()
	if _, err := client.CreateUser(t.Context(), sdk.NewUser{Username: name, Password: password, Role: role}); err != nil {
		t.Fatal(err)
	}
	b := open(t)
	b.do("sign in as "+name, chromedp.Navigate(d.URL+"/login"), chromedp.WaitVisible(testID("sign-in")),
		chromedp.SendKeys(chromedp.CSS("#username"), name), chromedp.SendKeys(chromedp.CSS("#password"), password))
	b.click("sign-in")
	b.waitText(css("live-badge"), "Live")
	return b
}

// top scrolls to the beginning of the page.
func (b *tab) top() {
	b.t.Helper()
	b.do("scroll up", chromedp.Evaluate[chromedp.Void](`window.scrollTo({top: 0, behavior: "instant"})`))
}

// TestScriptFromEditorToResult: an author writes a script plugin in the browser and mends what the server finds wrong;
// somebody else sees what it asks for, approves and grants it, and runs it.
func TestScriptFromEditorToResult(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	client := sdk.New(d.URL, d.APIToken)
	author := d.member(t, client, "otto", "operator")
	reviewer := d.member(t, client, "rita", "admin")
	submission := write(t, d, author)
	review(t, d, reviewer, submission)
	own(t, d, reviewer)
}

// write begins with a template, makes a mistake, is told its line, mends it and submits.
func write(t *testing.T, d *dev, b *tab) (submission string) {
	t.Helper()
	b.do("open the plugins", chromedp.Navigate(d.URL+"/plugins"))
	b.click("write-script")
	name := chromedp.CSS(`[name="name"]`)
	b.do("name it", chromedp.WaitVisible(name), chromedp.SendKeys(name, "wave"))
	b.click("create-draft")
	script := testID("editor-script")
	b.do("type a mistake at the top", chromedp.WaitVisible(script), chromedp.Focus(script),
		chromedp.KeyEvent(kb.Home, chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		chromedp.SendKeys(script, "const = 1;\n"))
	b.waitText(css("save-state"), "Saved")
	b.click("validate")
	b.waitText(css("faults"), "plugin.js:1")
	b.do("go to the line", chromedp.Click(chromedp.CSS(`[data-goto="plugin.js:1"]`), chromedp.NodeVisible))
	line, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => { const a = document.activeElement; return a.value?.slice(a.selectionStart, a.selectionEnd) ?? ""; })()`))
	if err != nil || line != "const = 1;" {
		t.Errorf("the line in question is %q, %v", line, err)
	}
	b.do("replace the line", chromedp.KeyEvent("// It waves."))
	b.waitText(css("save-state"), "Saved")
	b.click("test-draft")
	b.waitText(css("checks"), "case greets")
	if shown := b.text(css("checks")); strings.Contains(shown, "Failed") {
		t.Errorf("a case failed:\n%s", shown)
	}
	b.click("try-draft")
	b.waitText(css("tried"), "Hello, Ada.")
	b.do("load the page again", chromedp.Reload(), chromedp.WaitVisible(script))
	if text, err := chromedp.Run(b.ctx, chromedp.Value(script)); err != nil || !strings.HasPrefix(text, "// It waves.\n") {
		t.Errorf("after a reload the script begins %.40q, %v", text, err)
	}
	b.do("write to the reviewer", chromedp.SendKeys(testID("draft-note"), "It only waves"))
	b.top() // the button may be under the bar, which sticks
	b.click("submit-draft")
	b.waitText(css("submission-state"), "in review")
	b.waitText("#content", "An administrator looks at it")
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// review is somebody else's part, to the result of a run.
func review(t *testing.T, d *dev, b *tab, submission string) {
	t.Helper()
	b.do("open the submission", chromedp.Navigate(submission))
	b.waitText("#content", "It only waves")
	b.waitText(css("compared"), "A new plugin: all of this is new.")
	b.waitText(css("capabilities"), "the key-value store")
	approveAndRun(b)
}

// approveAndRun decides on the submission that the page shows, a greeting, and runs what was published.
func approveAndRun(b *tab) {
	b.t.Helper()
	b.do("comment", chromedp.SendKeys(testID("review-comment"), "Waves well"))
	b.click("approve-grant")
	b.waitText("#toasts", "Approved, published and granted.")
	b.waitText(css("grant-state"), "granted")
	b.click("run-plugin")
	name := chromedp.CSS(`[name="p.name"]`)
	b.do("fill in the form", chromedp.WaitVisible(name), chromedp.SendKeys(name, "Bea"))
	b.click("run")
	b.waitText(css("status"), "succeeded")
	b.waitText("#x-result", "Hello, Bea.")
}

// own is what an administrator wrote: another one decides.
func own(t *testing.T, d *dev, b *tab) {
	t.Helper()
	submit(t, d, b, "mine", "transform")
	b.waitText("#content", "You submitted this yourself: another administrator reviews it.")
}

// submit submits a template as it is.
func submit(t *testing.T, d *dev, b *tab, plugin, template string) {
	t.Helper()
	b.do("begin one", chromedp.Navigate(d.URL+"/drafts/new"))
	name := chromedp.CSS(`[name="name"]`)
	b.do("name it", chromedp.WaitVisible(name), chromedp.SendKeys(name, plugin))
	b.click("template-" + template)
	b.click("create-draft")
	b.do("see the editor", chromedp.WaitVisible(testID("editor-script")))
	b.click("submit-draft")
	b.waitText(css("submission-state"), "in review")
}

// TestSelfReview: where the server has plugins.self_review an administrator reviews, publishes and runs what is their
// own, although another administrator could review it.
func TestSelfReview(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--self-review")
	client := sdk.New(d.URL, d.APIToken)
	b := d.member(t, client, "rita", "admin") // beside dev
	submit(t, d, b, "alone", "hello")
	approveAndRun(b)
	page, err := client.PluginEvents(t.Context(), "alone")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Items {
		if e.Actor != "rita" {
			t.Errorf("%s by %s", e.Kind, e.Actor)
		}
	}
}
