package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// logsCommand is `octopus logs` and `octopus executions logs`.
func (a *app) logsCommand() *cobra.Command {
	var follow bool
	cmd := a.online("logs RUN|EXECUTION", "Show the log of a run or an execution", exactly("RUN|EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			executions, err := executionsOf(ctx, c, args[0])
			if err != nil {
				return err
			}
			err = a.showLogs(ctx, c, executions, follow)
			if ctx.Err() != nil {
				fmt.Fprintf(a.Err, "\nIt goes on without you. Return with: octopus logs %s --follow\n", args[0])
				return exitError{code: ExitInterrupted}
			}
			if err != nil || !follow {
				return err
			}
			return a.logVerdict(ctx, c, executions)
		})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until it has ended; Ctrl-C detaches")
	return cmd
}

// executionsOf accepts the id of a run or of an execution.
func executionsOf(ctx context.Context, c *sdk.Client, id string) ([]sdk.Execution, error) {
	switch {
	case strings.HasPrefix(id, octopus.PrefixExecution):
		x, err := c.Execution(ctx, id)
		return []sdk.Execution{x}, err
	case strings.HasPrefix(id, octopus.PrefixRun):
		run, err := c.Run(ctx, id)
		return run.Executions, err
	}
	return nil, usagef("%q is not the id of a run (run_…) or an execution (exe_…).", id)
}

// showLogs prints the logs, each line after its agent's name where there are several. Without follow they come one
// after the other, with it as they are written.
func (a *app) showLogs(ctx context.Context, c *sdk.Client, executions []sdk.Execution, follow bool) error {
	lines := make(chan string)
	group, ctx := errgroup.WithContext(ctx)
	if !follow {
		group.SetLimit(1)
	} else {
		group.SetLimit(followed)
	}
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		seen := isTerminal(a.Out) // a file gets what was written
		for l := range lines {
			if seen {
				l = harmless(l)
			}
			fmt.Fprintln(a.Out, l)
		}
	}()
	for _, x := range executions {
		prefix := ""
		if len(executions) > 1 {
			prefix = dash(x.AgentName) + " | "
		}
		group.Go(func() error {
			line := func(l sdk.LogLine) error {
				if !l.End {
					lines <- prefix + l.Text
				}
				return nil
			}
			if follow {
				return c.FollowLogs(ctx, x.ID, 0, line)
			}
			all, err := c.Logs(ctx, x.ID, 0)
			for _, l := range all {
				_ = line(l) // never fails
			}
			return err
		})
	}
	err := group.Wait()
	close(lines)
	<-printed
	return err
}

// logVerdict is the exit code after a follow: that of the executions.
func (a *app) logVerdict(ctx context.Context, c *sdk.Client, executions []sdk.Execution) error {
	for _, x := range executions {
		now, err := c.Execution(ctx, x.ID)
		if err != nil {
			return err
		}
		if now.Status != "succeeded" {
			fmt.Fprintf(a.Err, "%s: %s. %s\n", now.ID, now.Status, oneLine(said(now), 400))
			return exitError{code: ExitFailed}
		}
	}
	return nil
}
