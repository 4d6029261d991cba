package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// tasksCommands are the verbs of `octopus tasks`.
func (a *app) tasksCommands() []*cobra.Command {
	return []*cobra.Command{
		a.tasksList(), a.tasksGet(), a.tasksCreate(), a.tasksEdit(), a.tasksRun(),
		a.tasksSwitch("enable", "Let a task run", true), a.tasksSwitch("disable", "Keep a task from running", false), a.tasksDelete(), a.tasksRestore(),
	}
}

func (a *app) tasksList() *cobra.Command {
	var f sdk.TaskFilter
	var list listFlags
	cmd := a.online("list", "List tasks", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			f.List = list.List
			page, err := c.Tasks(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, taskTable)
		})
	list.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.Text, "text", "", "whose name or description holds a word")
	fs.StringVar(&f.Folder, "folder", "", "in one folder")
	fs.StringVar(&f.Plugin, "plugin", "", "of one plugin")
	fs.BoolVar(&f.Deleted, "deleted", false, "those that were deleted, and can be restored")
	fs.StringVar(&f.Selector, "selector", "", `whose labels match, such as "team=web"`)
	return cmd
}

func (a *app) tasksGet() *cobra.Command {
	return a.online("get TASK", "Show a task", exactly("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			task, err := c.Task(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printTask(task)
		})
}

func (a *app) printTask(k sdk.Task) error {
	return a.print(k, func(t *tabwriter.Writer) { showTask(t, k) })
}

func showTask(t io.Writer, k sdk.Task) {
	row(t, "Task", k.Name+" ("+k.ID+")")
	if k.Description != "" {
		row(t, "Description", oneLine(k.Description, 400))
	}
	row(t, "Folder", dash(k.Folder))
	row(t, "Labels", dash(labels(k.Labels)))
	row(t, "What", strings.TrimSpace(k.Plugin+" "+k.Version)+", action "+k.Action)
	row(t, "Params", string(k.Params))
	row(t, "Target", target(k.Target))
	sandboxRows(t, k.Sandbox, k.Clock, k.Seed)
	row(t, "Enabled", yesNo(k.Enabled))
	if k.Mismatch != "" {
		row(t, "Would not run", oneLine(k.Mismatch, 300))
	}
	row(t, "Revision", fmt.Sprintf("%d, %s by %s", k.Revision, stamp(k.UpdatedAt), dash(k.UpdatedBy)))
	if k.LastRun != nil {
		row(t, "Last run", k.LastRun.ID+" "+k.LastRun.Status)
	}
}

// taskFlags are what a task has beside its work.
type taskFlags struct {
	description, folder string
	labels              []string
}

func (f *taskFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.description, "description", "", "what it is for")
	cmd.Flags().StringVar(&f.folder, "folder", "", "where it is listed")
	cmd.Flags().StringArrayVar(&f.labels, "label", nil, "label k=v; may be repeated")
}

func (a *app) tasksCreate() *cobra.Command {
	var work workFlags
	var task taskFlags
	var plugin, key string
	var disabled bool
	cmd := a.online("create NAME", "Save a task", exactly("NAME"),
		func(ctx context.Context, c *sdk.Client, args []string) (err error) {
			if plugin == "" {
				return usagef("--plugin is missing: octopus plugins list shows what there is.")
			}
			enabled := !disabled
			n := sdk.NewTask{Name: args[0], Description: task.description, Folder: task.folder, Enabled: &enabled}
			if n.Labels, err = pairs("label", task.labels); err != nil {
				return err
			}
			if n.Work, err = work.work(ctx, a, c, plugin); err != nil {
				return err
			}
			made, err := c.CreateTask(ctx, n, waitFlags{key: key}.options()...)
			if err != nil {
				return err
			}
			return a.printTask(made)
		})
	cmd.Flags().StringVar(&plugin, "plugin", "", "what it runs")
	work.register(cmd)
	task.register(cmd)
	cmd.Flags().BoolVar(&disabled, "disabled", false, "save it, but keep it from running")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "name this call, so that repeating it makes nothing new")
	return cmd
}

func (a *app) tasksRun() *cobra.Command {
	var params paramFlags
	var wait waitFlags
	var sandbox sandboxFlags
	var body sdk.RunTask
	var cmd *cobra.Command
	cmd = a.online("run TASK", "Run a task now and wait for the result", exactly("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) (err error) {
			if body.Sandbox, body.Clock, body.Seed, err = sandbox.changes(cmd.Flags().Changed); err != nil {
				return err
			}
			if params.given() {
				task, err := c.Task(ctx, args[0])
				if err != nil {
					return err
				}
				action, err := resolveAction(ctx, c, task.Plugin, task.Version, task.Action)
				if err != nil {
					return err
				}
				if body.Params, err = params.read(a.In, action.Params); err != nil {
					return err
				}
			}
			run, err := c.RunTask(ctx, args[0], body, wait.options()...)
			if err != nil {
				return err
			}
			return a.attend(ctx, c, run, wait)
		})
	cmd.Long = `Run a task now and wait for the result.

Parameters are merged over the task's own for this run. --sandbox, --clock and --seed stand in for the task's own, and an empty value for none: that needs the role that running a plugin without a task needs.`
	params.register(cmd.Flags())
	wait.register(cmd)
	sandbox.register(cmd.Flags(), "what the task says")
	cmd.Flags().BoolVar(&body.DryRun, "dry-run", false, "record what would change something, instead of doing it")
	return cmd
}

// tasksSwitch enables or disables.
func (a *app) tasksSwitch(verb, short string, enabled bool) *cobra.Command {
	return a.online(verb+" TASK", short, exactly("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			task, err := c.UpdateTask(ctx, args[0], 0, sdk.TaskPatch{Enabled: &enabled})
			if err != nil {
				return err
			}
			return a.printTask(task)
		})
}

func (a *app) tasksDelete() *cobra.Command {
	return a.online("delete TASK...", "Delete tasks; their runs stay, and restore brings them back", atLeastOne("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			for _, name := range args {
				task, err := c.Task(ctx, name) // by its id it can be restored whatever is named like it later
				if err != nil {
					return err
				}
				if err := c.DeleteTask(ctx, task.ID, 0); err != nil {
					return err
				}
				fmt.Fprintf(a.Err, "%s: deleted; to bring it back: octopus tasks restore %s\n", name, task.ID)
			}
			return nil
		})
}

func (a *app) tasksRestore() *cobra.Command {
	return a.online("restore TASK...", "Bring deleted tasks back: by id, or the one of a name that was deleted last", atLeastOne("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			return a.forEach(args, "restored", func(name string) error { _, err := c.RestoreTask(ctx, name); return err })
		})
}
