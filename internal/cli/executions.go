package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// executionsCommands are the verbs of `octopus executions`.
func (a *app) executionsCommands() []*cobra.Command {
	logs := a.logsCommand()
	logs.Use = "logs EXECUTION"
	return []*cobra.Command{
		a.executionsList(), a.executionsGet(), logs, a.executionsExplain(), a.executionsDownload(), a.executionsRetry(),
		a.executionAction("cancel", "Ask for an execution to end", (*sdk.Client).CancelExecution),
		a.executionAction("close", "End an execution at once, without its agent", (*sdk.Client).ForceClose),
	}
}

func (a *app) executionsList() *cobra.Command {
	var f sdk.ExecutionFilter
	var list listFlags
	var since, finished string
	cmd := a.online("list", "List executions, newest first", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) (err error) {
			f.List = list.List
			if f.CreatedSince, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			if f.FinishedSince, err = sinceTime(finished, time.Now()); err != nil {
				return err
			}
			page, err := c.Executions(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, executionTable)
		})
	list.register(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.Status, "status", nil, "queued, offered, running, succeeded, failed, timed_out, cancelled, lost, expired, rejected")
	fs.StringVar(&f.Task, "task", "", "of one task")
	fs.StringVar(&f.Run, "run", "", "of one run")
	fs.StringVar(&f.Agent, "agent", "", "on one agent")
	fs.StringVar(&f.Plugin, "plugin", "", "of one plugin")
	fs.StringVar(&since, "since", "", "created since: 24h, or a time")
	fs.StringVar(&finished, "finished-since", "", "ended since: 24h, or a time")
	return cmd
}

func (a *app) executionsGet() *cobra.Command {
	return a.online("get EXECUTION", "Show an execution with its response", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			x, err := c.Execution(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(x, func(t *tabwriter.Writer) { showExecution(t, c.BaseURL(), x) })
		})
}

// executionAction is a verb that acts on one execution and shows it.
func (a *app) executionAction(verb, short string, do func(*sdk.Client, context.Context, string) (sdk.Execution, error)) *cobra.Command {
	return a.online(verb+" EXECUTION", short, exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			x, err := do(c, ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(x, func(t *tabwriter.Writer) { executionTable(t, []sdk.Execution{x}) })
		})
}

func (a *app) executionsRetry() *cobra.Command {
	var wait waitFlags
	cmd := a.online("retry EXECUTION", "Start a new run that repeats one execution", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			run, err := c.RetryExecution(ctx, args[0], wait.options()...)
			if err != nil {
				return err
			}
			return a.attend(ctx, c, run, wait)
		})
	wait.register(cmd)
	return cmd
}

// explanation is what `explain` prints: why an execution is where it is.
type explanation struct {
	Execution string        `json:"execution"`
	Status    string        `json:"status"`
	Why       string        `json:"why,omitempty"`
	LeftOut   []sdk.LeftOut `json:"left_out,omitempty"`
	Events    []sdk.Event   `json:"events"`
}

func (a *app) executionsExplain() *cobra.Command {
	return a.online("explain EXECUTION", "Tell why an execution is where it is, event by event", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			x, err := c.Execution(ctx, args[0])
			if err != nil {
				return err
			}
			events, err := c.ExecutionEvents(ctx, x.ID)
			if err != nil {
				return err
			}
			run, err := c.Run(ctx, x.RunID)
			if err != nil {
				return err
			}
			e := explanation{Execution: x.ID, Status: statusOf(x), Why: why(x), LeftOut: run.LeftOut, Events: events.Items}
			return a.print(e, func(t *tabwriter.Writer) { e.table(t) })
		})
}

// why is the reason that the server gives for a state.
func why(x sdk.Execution) string {
	switch {
	case x.Waiting != nil && !x.Ended():
		return x.Waiting.Message
	case x.Silent:
		return "It runs, but its agent is not heard."
	case x.Reason != nil:
		return x.Reason.Message
	}
	return ""
}

func (e explanation) table(t io.Writer) {
	row(t, "Status", e.Status)
	if e.Why != "" {
		row(t, "Why", e.Why)
	}
	for _, l := range e.LeftOut {
		row(t, "Left out", l.AgentName+": "+l.Reason)
	}
	for _, v := range e.Events {
		length := ""
		if v.DurationMS > 0 {
			length = " (" + took(v.DurationMS) + ")"
		}
		row(t, stamp(v.At), v.Kind, dash(v.AgentName), v.Message+length)
	}
}

func (a *app) executionsDownload() *cobra.Command {
	var format, file string
	cmd := a.online("download EXECUTION", "Download the result", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if err := oneOf("format", format, "json", "csv"); err != nil {
				return err
			}
			data, err := c.DownloadResult(ctx, args[0], format)
			if err != nil {
				return err
			}
			if file == "" || file == "-" {
				_, err = a.Out.Write(data)
				return err
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				return fmt.Errorf("download: %w", err)
			}
			fmt.Fprintf(a.Err, "%s: %d bytes\n", file, len(data))
			return nil
		})
	cmd.Flags().StringVar(&format, "format", "json", "json or csv")
	cmd.Flags().StringVar(&file, "file", "", "where to write it (default standard output)")
	return cmd
}
