package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"octopus/sdk"
)

// word is one of the length that German allows: no page may be wider than its window for it.
const word = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"

// TestOnAPhone looks at tasks and runs in a narrow window: it shows which agent an execution is on, nothing is wider
// than the window, and a new task begins with what is found by typing.
func TestOnAPhone(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	b.do("make the window narrow", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	client := sdk.New(d.URL, d.APIToken)
	task, err := client.CreateTask(t.Context(), sdk.NewTask{
		Name: word, Description: strings.Repeat(word, 2), Work: sdk.Work{Plugin: "echo", Action: "echo", Params: sdk.JSON(map[string]any{"message": word})},
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := client.RunTask(t.Context(), task.ID, sdk.RunTask{})
	if err != nil || len(run.Executions) != 1 {
		t.Fatalf("%v %+v", err, run)
	}
	b.do("open the task", chromedp.Navigate(d.URL+"/tasks/"+task.ID))
	b.waitText("#recent-h", "Runs")
	b.fits("the task")
	if run, err = client.WaitRun(t.Context(), run.ID); err != nil || run.Status != "succeeded" {
		t.Fatalf("%v %+v", err, run)
	}
	x, err := client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	row := "#x-" + x.ID
	b.do("open the list", chromedp.Navigate(d.URL+"/executions?text="+word))
	b.waitText(row, "on "+x.AgentName)
	b.fits("the list")
	b.do("open the agent", chromedp.Navigate(d.URL+"/agents/"+x.AgentID))
	b.waitText(row, word)
	if shown := b.text(row); strings.Contains(shown, "on "+x.AgentName) {
		t.Errorf("the agent's own page repeats its name: %q", shown)
	}
	b.fits("the agent")
	b.do("make a task", chromedp.Navigate(d.URL+"/tasks/new"), chromedp.WaitVisible(testID("plugin-search")),
		chromedp.SendKeys(testID("plugin-search"), "certificate"))
	b.do("find it", chromedp.WaitVisible(chromedp.CSS(`#choices > a:first-child`+css("choose-tls-expiry"))))
	b.click("choose-tls-expiry")
	b.waitText(css("task-form"), "tls-expiry")
}

// fits fails the test when the page can be scrolled sideways.
func (b *tab) fits(what string) {
	b.t.Helper()
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth`))
	if err != nil || wide > 390 {
		b.t.Errorf("%s is %v wide in a window of 390 (%v)", what, wide, err)
	}
}
