// Package browser_test drives the dashboard as a person does: a real Chromium, real input events, the strict
// content security policy in force.
package browser_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"octopus/e2e/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// patience is how long a page may take for what a person expects at once, on a machine that has thirty other things to do.
const patience = 3 * time.Minute

// tab is one page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	refused bool // pages that refuse something are what the test asks for

	mu     sync.Mutex
	errors []string // guarded by mu: what the page complained about, policy violations among them
}

// open starts a browser with one tab. At the end of the test it has seen no error.
func open(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("OCTOPUS_CI") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("SKIPPED: browser tests need chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
	)
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancelTab()
		cancelAllocator()
		cancel()
		for _, e := range b.errors {
			if b.refused && strings.Contains(e, "responded with a status of 4") {
				continue
			}
			t.Errorf("the page complained: %s", e)
		}
	})
	return b
}

// listen keeps what the browser reports as an error. A server that is being restarted refuses connections: that is
// what some tests are about, and no fault of the page.
func (b *tab) listen(ev any) {
	var text string
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "net::ERR_") {
			text = e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	}
	if text != "" {
		b.mu.Lock()
		b.errors = append(b.errors, text)
		b.mu.Unlock()
	}
}

// gone is how Chromium says that the element which was found has been replaced since, by a live update or by the rest
// of a page that still loads. Nothing was done to it then.
var gone = regexp.MustCompile(`(?i)node with given id|could not compute (box model|content quads)|node is detached|no node found for given`)

// do runs steps, each anew where its element was replaced under it, as a person who looks again, and fails the test
// with what was being tried.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for _, step := range steps {
		err := chromedp.Do(ctx, step)
		for err != nil && gone.MatchString(err.Error()) {
			err = chromedp.Do(ctx, step)
		}
		if err != nil {
			b.t.Fatalf("%s: %v\n%s", what, err, b.text("body"))
		}
	}
}

// click clicks the element with a test id, with the mouse.
func (b *tab) click(id string) {
	b.t.Helper()
	b.do("click "+id, chromedp.Click(testID(id), chromedp.NodeVisible))
}

// text is the visible text of an element, "" when there is none.
func (b *tab) text(selector string) string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(`+quote(selector)+`)?.innerText ?? ""`))
	if err != nil {
		return ""
	}
	return text
}

// waitText waits until an element shows a text, also across the loading of another page.
func (b *tab) waitText(selector, want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	expression := `(document.querySelector(` + quote(selector) + `)?.innerText ?? "").includes(` + quote(want) + `)`
	for {
		// An error means that the page is being replaced: look again.
		if shown, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && shown {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("%s does not show %q but %q; the page:\n%s", selector, want, b.text(selector), b.text("body"))
		}
	}
}

// mark leaves a mark in the page that a reload would remove.
func (b *tab) mark() {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`window.markOfTheTest = true`)); err != nil {
		b.t.Fatal(err)
	}
}

// marked fails the test when the page was loaded again since [tab.mark].
func (b *tab) marked() {
	b.t.Helper()
	kept, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`window.markOfTheTest === true`))
	if err != nil || !kept {
		b.t.Fatalf("the page was loaded again (%v)", err)
	}
}

func testID(id string) chromedp.CSS { return chromedp.CSS(css(id)) }

func css(id string) string { return `[data-testid="` + id + `"]` }

func quote(s string) string { return "`" + strings.ReplaceAll(s, "`", "\\`") + "`" }
