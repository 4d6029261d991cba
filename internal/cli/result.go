package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// printRun prints a run. A run with one execution is shown as that execution's answer, any other as a table.
func (a *app) printRun(ctx context.Context, c *sdk.Client, run sdk.Run) error {
	_, err := a.showRun(ctx, c, run)
	return err
}

// showRun is printRun, and returns the run as it was printed: it may have gone on since it was read.
func (a *app) showRun(ctx context.Context, c *sdk.Client, run sdk.Run) (sdk.Run, error) {
	if a.flags.output != "table" {
		return run, a.print(run, nil)
	}
	if run.Total == 1 && len(run.Executions) == 1 {
		x, err := c.Execution(ctx, run.Executions[0].ID) // a run carries its executions without their responses
		if err != nil {
			return run, err
		}
		if !run.Ended() {
			run.Status = string(octopus.Counts{octopus.Status(x.Status): 1}.RunStatus())
		}
		return run, a.printAnswer(run, x)
	}
	return run, a.print(run, func(t *tabwriter.Writer) {
		runTable(t, []sdk.Run{run})
		if len(run.Executions) > 0 {
			row(t)
			executionTable(t, run.Executions)
		}
		for _, l := range run.LeftOut {
			row(t, "left out", l.AgentName, l.Reason)
		}
	})
}

// printAnswer prints what one execution came to: a line about it, its message, and its result as JSON.
func (a *app) printAnswer(run sdk.Run, x sdk.Execution) error {
	fmt.Fprintf(a.Out, "%s  %s  %s  %s  %s\n", run.ID, a.coloured(x), harmless(whatOf(x.TaskName, x.Plugin, x.Action)), dash(x.AgentName), took(x.DurationMS))
	if s := said(x); s != "" {
		fmt.Fprintln(a.Out, harmless(s))
	}
	if x.Response != nil && len(x.Response.Result) > 0 && !bytes.Equal(x.Response.Result, []byte("null")) {
		var pretty bytes.Buffer
		if json.Indent(&pretty, x.Response.Result, "", "  ") == nil {
			fmt.Fprintln(a.Out, pretty.String())
		}
	}
	if x.DryRun && x.Ended() {
		a.printIntents(x)
	}
	return nil
}

// printIntents says what a dry run would have done.
func (a *app) printIntents(x sdk.Execution) {
	if len(x.Intents) == 0 {
		fmt.Fprintln(a.Err, "A dry run: there was nothing that changes anything.")
		return
	}
	fmt.Fprintln(a.Err, "A dry run. It would have done this:")
	for _, i := range x.Intents {
		fmt.Fprintf(a.Err, "  %s: %s\n", harmless(i.Op), harmless(i.Message))
	}
}

// coloured is the status, in green, red or yellow on a terminal.
func (a *app) coloured(x sdk.Execution) string {
	text := statusOf(x)
	if !colourful(a.Out) {
		return text
	}
	code := "31"
	switch {
	case x.Status == "succeeded":
		code = "32"
	case !x.Ended():
		code = "33"
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
