package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

func (a *app) executionsExplain() *cobra.Command {
	return a.online("explain EXECUTION", "Tell why an execution is where it is, step by step and agent by agent", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			e, err := c.ExplainExecution(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(e, func(t *tabwriter.Writer) { explanationTable(t, e, time.Now()) })
		})
}

// explanationTable is the head of an explanation, its steps, and where there are any its agents and late results.
func explanationTable(t *tabwriter.Writer, e sdk.Explanation, now time.Time) {
	row(t, "Status", statusWords(e.Status))
	row(t, "Why", e.Summary)
	if e.Next != nil {
		row(t, "Next", stamp(e.Next.At)+" ("+ago(e.Next.At, now)+"): "+e.Next.Message)
	}
	for _, l := range e.LeftOut {
		row(t, "Left out", l.AgentName+": "+l.Reason)
	}
	for _, l := range e.LateResults {
		row(t, "Late result", stamp(l.At)+": "+l.Message)
		if l.Response != nil {
			row(t, "", oneLine(string(compact(l.Response)), 400))
		}
	}
	part(t)
	row(t, "TIME", "AGENT", "WHAT HAPPENED")
	for _, s := range e.Steps {
		row(t, clockTime(s.At), dash(s.AgentName), s.Message+stepTimes(s))
	}
	if len(e.Agents) == 0 {
		return
	}
	part(t)
	row(t, "AGENT", "STATE", "OFFERS", "WHY NOT THERE")
	for _, c := range e.Agents {
		row(t, c.AgentName, statusWords(c.State), c.Offers, c.Reason)
	}
}

// part begins a table of other columns.
func part(t *tabwriter.Writer) {
	t.Flush() // an error shows at the last flush
	fmt.Fprintln(io.Writer(t))
}

// stepTimes is how often a step was so.
func stepTimes(s sdk.Step) string {
	if s.Count > 1 && !s.Until.IsZero() {
		return fmt.Sprintf(" (%d times until %s)", s.Count, clockTime(s.Until))
	}
	return ""
}

// clockTime is a moment of a day that is named elsewhere.
func clockTime(t time.Time) string { return t.Local().Format("15:04:05.000") }
