package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// waitFlags say how long a command stays with the run that it started.
type waitFlags struct {
	follow, detach bool
	wait           time.Duration
	key            string
}

func (w *waitFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&w.follow, "follow", "f", false, "wait for the end and show states and log lines on standard error; Ctrl-C detaches")
	f.BoolVarP(&w.detach, "detach", "d", false, "return as soon as the run exists")
	f.DurationVar(&w.wait, "wait", 30*time.Second, "how long to wait for the end; then the exit code is 5")
	f.StringVar(&w.key, "idempotency-key", "", "name this call, so that repeating it starts nothing new")
	cmd.MarkFlagsMutuallyExclusive("follow", "detach")
}

func (w waitFlags) options() []sdk.CallOption {
	if w.key == "" {
		return nil
	}
	return []sdk.CallOption{sdk.WithIdempotencyKey(w.key)}
}

// runCommand is `octopus run`: a plugin, now.
func (a *app) runCommand() *cobra.Command {
	var work workFlags
	var wait waitFlags
	var labels []string
	cmd := a.online("run PLUGIN [ACTION]", "Run a plugin now and wait for the result", pluginAndAction(&work),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			start := sdk.StartRun{}
			var err error
			if len(args) == 2 {
				work.action = args[1]
			}
			if start.Labels, err = pairs("label", labels); err != nil {
				return err
			}
			if start.Work, err = work.work(ctx, a, c, args[0]); err != nil {
				return orTask(ctx, c, args[0], err)
			}
			run, err := c.StartRun(ctx, start, wait.options()...)
			if err != nil {
				return err
			}
			return a.attend(ctx, c, run, wait)
		})
	work.register(cmd)
	wait.register(cmd)
	cmd.Flags().StringArrayVar(&labels, "label", nil, "label k=v kept with the run; may be repeated")
	return cmd
}

// pluginAndAction wants a plugin, and takes an action as a second word or as --action.
func pluginAndAction(work *workFlags) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 2 && work.action != "" && work.action != args[1] {
			return usagef("The action is %q and --action is %q; name one.", args[1], work.action)
		}
		if len(args) == 2 {
			args = args[:1]
		}
		return exactly("PLUGIN")(cmd, args)
	}
}

// orTask names the task that was probably meant where there is no such plugin.
func orTask(ctx context.Context, c *sdk.Client, name string, err error) error {
	if !sdk.IsNotFound(err) {
		return err
	}
	if _, taskErr := c.Task(ctx, name); taskErr == nil {
		return octopus.Errorf(octopus.CodeNotFound, "There is no plugin %q, but a task of that name: octopus tasks run %s.", name, name)
	}
	if slices.ContainsFunc((&app{}).runsCommands(), func(verb *cobra.Command) bool { return verb.Name() == name }) {
		return octopus.Errorf(octopus.CodeNotFound, "There is no plugin %q; did you mean octopus runs %s?", name, name)
	}
	return err
}

// attend stays with a run as the flags say, prints its result, and ends with its exit code.
func (a *app) attend(ctx context.Context, c *sdk.Client, run sdk.Run, w waitFlags) error {
	var err error
	switch {
	case w.detach:
		if err := a.printRun(ctx, c, run); err != nil {
			return err
		}
		if a.flags.output == "table" {
			fmt.Fprintf(a.Err, "Follow it: octopus logs %s --follow\n", run.ID)
		}
		return nil
	case w.follow:
		run, err = a.follow(ctx, c, run)
	default:
		run, err = waitFor(ctx, c, run, w.wait)
	}
	if err != nil {
		return a.detached(ctx, run, err)
	}
	if run, err = a.showRun(ctx, c, run); err != nil {
		return err
	}
	return a.verdict(run)
}

// waitFor waits for the end of a run, but not longer than max; a run that has not ended then is no error.
func waitFor(ctx context.Context, c *sdk.Client, run sdk.Run, max time.Duration) (sdk.Run, error) {
	if run.Ended() || max <= 0 {
		return run, nil
	}
	limited, cancel := context.WithTimeout(ctx, max)
	defer cancel()
	seen, err := c.WaitRun(limited, run.ID)
	if seen.ID == "" {
		seen = run
	}
	if limited.Err() != nil && ctx.Err() == nil {
		return seen, nil
	}
	return seen, err
}

// detached says how to return after Ctrl-C.
func (a *app) detached(ctx context.Context, run sdk.Run, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(a.Err, "\nThe run goes on without you. Return with: octopus logs %s --follow\nEnd it with: octopus runs cancel %s\n", run.ID, run.ID)
	return exitError{code: ExitInterrupted}
}

// verdict is the exit code of a run.
func (a *app) verdict(run sdk.Run) error {
	switch {
	case run.Status == "succeeded":
		return nil
	case run.Ended():
		return exitError{code: ExitFailed}
	}
	fmt.Fprintf(a.Err, "It is still %s. Wait on with: octopus runs wait %s\n", run.Status, run.ID)
	return exitError{code: ExitRunning}
}
