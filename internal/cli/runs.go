package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// runsCommands are the verbs of `octopus runs`.
func (a *app) runsCommands() []*cobra.Command {
	return []*cobra.Command{a.runsList(), a.runsGet(), a.runsWait(), a.runsCancel(), a.runsClose(), a.runsRetry()}
}

func (a *app) runsList() *cobra.Command {
	var f sdk.RunFilter
	var list listFlags
	var since string
	cmd := a.online("list", "List runs, newest first", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) (err error) {
			f.List = list.List
			if f.CreatedSince, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			page, err := c.Runs(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, runTable)
		})
	list.register(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&f.Status, "status", nil, "queued, running, succeeded, failed, cancelled")
	fs.StringVar(&f.Task, "task", "", "of one task")
	fs.StringVar(&f.Plugin, "plugin", "", "of one plugin")
	fs.StringVar(&f.CreatedBy, "by", "", "started by one user")
	fs.StringVar(&since, "since", "", "created since: 24h, or a time")
	return cmd
}

func (a *app) runsGet() *cobra.Command {
	return a.online("get RUN", "Show a run with its executions", exactly("RUN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			run, err := c.Run(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printRun(ctx, c, run)
		})
}

func (a *app) runsWait() *cobra.Command {
	var wait time.Duration
	cmd := a.online("wait RUN", "Wait for the end of a run; the exit code tells how it ended", exactly("RUN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			run, err := c.Run(ctx, args[0])
			if err != nil {
				return err
			}
			return a.attend(ctx, c, run, waitFlags{wait: wait})
		})
	cmd.Flags().DurationVar(&wait, "timeout", time.Hour, "how long to wait; then the exit code is 5")
	return cmd
}

func (a *app) runsCancel() *cobra.Command {
	return a.online("cancel RUN", "Cancel what has not ended of a run", exactly("RUN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			run, err := c.CancelRun(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printRun(ctx, c, run)
		})
}

func (a *app) runsClose() *cobra.Command {
	var yes bool
	cmd := a.online("close RUN", "End what has not ended of a run at once, without its agents", exactly("RUN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if !yes && !a.sure("For every execution that has not ended: "+closeHelp) {
				return usagef("Nothing was closed.")
			}
			run, err := c.ForceCloseRun(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printRun(ctx, c, run)
		})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) runsRetry() *cobra.Command {
	var only string
	var wait waitFlags
	cmd := a.online("retry RUN", "Start a new run that repeats one", exactly("RUN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			run, err := c.RetryRun(ctx, args[0], sdk.RetryRun{Only: only}, wait.options()...)
			if err != nil {
				return err
			}
			return a.attend(ctx, c, run, wait)
		})
	cmd.Flags().StringVar(&only, "only", "all", "failed: what did not succeed; all: everything")
	wait.register(cmd)
	return cmd
}
