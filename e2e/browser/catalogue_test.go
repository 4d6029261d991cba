package browser_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"octopus/sdk"
)

// TestCatalogue: an administrator switches several plugins at once and takes it back, watches the list and a plugin's
// page while others decide about it, and sees and revokes what was granted.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	client := sdk.New(d.URL, d.APIToken)
	switchMany(t, d, b, client)
	watchList(t, d, b, client)
	watch(t, d, b, client)
	revoke(t, d, b, client)
}

// within clicks what is in another element.
func (b *tab) within(place, id string) {
	b.t.Helper()
	b.do("click "+id+" in "+place, chromedp.Click(chromedp.CSS(place+" "+css(id)), chromedp.NodeVisible))
}

func switchMany(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	enabled := func(want bool) {
		t.Helper()
		for _, name := range []string{"backup", "disk-usage"} {
			if p, err := client.Plugin(t.Context(), name); err != nil || p.Enabled != want {
				t.Fatalf("%s enabled is %v, want %v: %v", name, p.Enabled, want, err)
			}
		}
	}
	b.do("open the plugins", chromedp.Navigate(d.URL+"/plugins"))
	b.within("#plugin-backup", "tick")
	b.waitText(css("ticked"), "1 plugin")
	b.within("#plugin-disk-usage", "tick")
	b.waitText(css("ticked"), "2 plugins")
	b.click("bulk-disable")
	b.waitText("#confirm", "Disable 2 plugins?")
	b.click("confirm-yes")
	b.waitText("#toasts", "Disabled 2 plugins: new runs are refused.")
	b.waitText("#plugin-backup", "disabled")
	enabled(false)
	b.click("undo")
	b.waitText("#toasts", "Taken back.")
	enabled(true)
}

// watchList keeps the list of plugins open, with one ticked, while somebody else decides.
func watchList(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	b.do("open the plugins", chromedp.Navigate(d.URL+"/plugins"))
	b.waitText(css("live-badge"), "Live")
	b.within("#plugin-noop", "tick")
	b.waitText(css("ticked"), "1 plugin")
	b.mark()
	for _, enabled := range []bool{false, true} {
		if err := client.EnablePlugin(t.Context(), "noop", "", enabled); err != nil {
			t.Fatal(err)
		}
		b.waitText("#plugin-noop", map[bool]string{true: "asks for nothing", false: "disabled"}[enabled])
	}
	b.waitText(css("ticked"), "1 plugin") // a live update takes no tick away
	b.marked()
}

// watch keeps a plugin's page open, with a version ticked, while somebody else decides.
func watch(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	b.do("open a plugin", chromedp.Navigate(d.URL+"/plugins/echo"))
	b.waitText(css("live-badge"), "Live")
	b.within(css("versions"), "tick")
	b.waitText(css("ticked"), "1 version")
	b.mark()
	p, err := client.Plugin(t.Context(), "echo")
	if err != nil || len(p.Versions) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	for _, verb := range []string{"disable", "enable", "deprecate"} {
		if err := client.ChangeVersion(t.Context(), "echo", p.Versions[0].Version, verb); err != nil {
			t.Fatal(err)
		}
		word := map[string]string{"disable": "disabled", "enable": "published", "deprecate": "deprecated"}[verb]
		told := map[string]string{"disable": "disabled", "enable": "enabled again", "deprecate": "marked as deprecated"}[verb]
		b.waitText(css("versions"), word)
		b.waitText(css("history"), told)
	}
	b.waitText(css("ticked"), "1 version")
	if kept, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelector(`+quote(css("versions")+" "+css("tick"))+`).checked`)); err != nil || !kept {
		t.Errorf("a live update took the tick away (%v)", err)
	}
	if err := client.EnablePlugin(t.Context(), "echo", "", false); err != nil {
		t.Fatal(err)
	}
	b.waitText("#plugin-head", "Enable")
	b.marked()
	b.click("bulk-enable")
	b.waitText("#confirm", "Enable echo "+p.Versions[0].Version+"?")
	b.click("confirm-yes")
	b.waitText("#toasts", "Enabled echo")
	b.click("undo")
	b.waitText("#toasts", "Taken back.")
	b.waitText(css("versions"), "deprecated") // what it was before
}

func revoke(t *testing.T, d *dev, b *tab, client *sdk.Client) {
	b.do("open the plugins", chromedp.Navigate(d.URL+"/plugins"))
	b.click("grants")
	b.waitText(css("grants"), "http to any host")
	b.do("choose a plugin", chromedp.WaitVisible(testID("by-plugin")), chromedp.SetValue(testID("by-plugin"), "log-grep")) // tells the page that it changed
	b.waitText(css("cli"), "octopus plugins grants --plugin log-grep")
	b.waitText(css("grants"), "the key-value store")
	b.within(css("grants"), "revoke")
	b.waitText("#confirm", "Take back what log-grep")
	b.click("confirm-yes")
	b.waitText("#toasts", "Revoked what log-grep")
	b.waitText(css("grants"), "revoked")
	b.waitText(css("cli"), "--plugin log-grep") // the list goes on with its own filter
	list, err := client.Grants(t.Context(), sdk.GrantFilter{Plugin: "log-grep"})
	if err != nil || len(list.Items) != 1 || list.Items[0].State != "revoked" {
		t.Errorf("%+v %v", list, err)
	}
}
