package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
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
		a.executionsList(), a.executionsGet(), logs, a.executionsExplain(), a.executionsDownload(),
		a.executionsArtifacts(), a.executionsRetry(),
		a.executionAction("cancel", "Ask for an execution to end", (*sdk.Client).CancelExecution),
		a.executionsClose(),
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

const closeHelp = `It ends as cancelled at once, without waiting for its agent, and frees what it held.
If its plugin runs, the agent is told to kill it, but nobody waits for that; a result that comes
later is kept as evidence only. "cancel" is the gentler way.`

func (a *app) executionsClose() *cobra.Command {
	var yes bool
	cmd := a.online("close EXECUTION", "End an execution at once, without its agent", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if !yes && !a.sure(closeHelp) {
				return usagef("Nothing was closed.")
			}
			x, err := c.ForceClose(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(x, func(t *tabwriter.Writer) { executionTable(t, []sdk.Execution{x}) })
		})
	cmd.Long = "End an execution at once, without its agent.\n\n" + closeHelp
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// sure asks a person who sits at a terminal whether to go on; a script is not asked.
func (a *app) sure(meaning string) bool {
	if !isTerminal(a.In) || isNull(a.In) {
		return true
	}
	fmt.Fprintf(a.Err, "%s\nGo on? [y/N] ", meaning)
	line, _ := bufio.NewReader(io.LimitReader(a.In, 64)).ReadString('\n') // an end of input is no
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// isNull tells /dev/null, which is a device like a terminal, from one.
func isNull(in any) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	got, err := f.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && nullErr == nil && os.SameFile(got, null)
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

func (a *app) executionsDownload() *cobra.Command {
	var format, file, artifact string
	var attempt int
	cmd := a.online("download EXECUTION", "Download the result, or an artifact", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) (err error) {
			if err := oneOf("format", format, "json", "csv"); err != nil {
				return err
			}
			var data []byte
			if artifact != "" {
				data, err = c.DownloadArtifact(ctx, args[0], artifact, attempt)
			} else {
				data, err = c.DownloadResult(ctx, args[0], format)
			}
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
	cmd.Flags().StringVar(&artifact, "artifact", "", "download this file that it left behind instead")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "of --artifact, the one of this attempt (default the newest)")
	cmd.Flags().StringVar(&file, "file", "", "where to write it (default standard output)")
	return cmd
}
