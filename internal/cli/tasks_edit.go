package cli

import (
	"context"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// tasksEdit is `octopus tasks edit`: it changes what the flags name and leaves the rest.
func (a *app) tasksEdit() *cobra.Command {
	var work workFlags
	var task taskFlags
	var name, plugin string
	var revision int64
	var cmd *cobra.Command
	cmd = a.online("edit TASK", "Change what the flags name of a task", exactly("TASK"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			e := edit{cmd: cmd, work: &work, task: &task}
			patch, err := e.patch(name, plugin)
			if err != nil {
				return err
			}
			if work.params.given() {
				if patch.Params, err = e.params(ctx, a, c, args[0], plugin); err != nil {
					return err
				}
			}
			if !e.any {
				return usagef("Nothing was named to change.")
			}
			changed, err := c.UpdateTask(ctx, args[0], revision, patch)
			if err != nil {
				return err
			}
			return a.printTask(changed)
		})
	cmd.Long = `Change what the flags name of a task and leave the rest.

Parameters are merged: --params '{"timeout_seconds": null}' removes one. A label "env=" removes the label, and an empty --sandbox, --clock or --seed what the task asks for.`
	cmd.Flags().StringVar(&name, "name", "", "give it another name")
	cmd.Flags().StringVar(&plugin, "plugin", "", "run another plugin")
	cmd.Flags().Int64Var(&revision, "revision", 0, "refuse when somebody else has changed it since this revision")
	work.register(cmd)
	task.register(cmd)
	return cmd
}

// edit builds a patch of the flags that were given.
type edit struct {
	cmd  *cobra.Command
	work *workFlags
	task *taskFlags
	any  bool
}

func (e *edit) given(flag string) bool {
	changed := e.cmd.Flags().Changed(flag)
	e.any = e.any || changed
	return changed
}

func (e *edit) patch(name, plugin string) (sdk.TaskPatch, error) {
	w, p := e.work, sdk.TaskPatch{}
	text := func(flag, value string, into **string) {
		if e.given(flag) {
			*into = &value
		}
	}
	number := func(flag string, value float64, into **float64) {
		if e.given(flag) {
			*into = &value
		}
	}
	whole := func(flag string, value int, into **int) {
		if e.given(flag) {
			*into = &value
		}
	}
	text("name", name, &p.Name)
	text("plugin", plugin, &p.Plugin)
	text("description", e.task.description, &p.Description)
	text("folder", e.task.folder, &p.Folder)
	text("action", w.action, &p.Action)
	text("plugin-version", w.version, &p.Version)
	text("on-lost", w.onLost, &p.OnLost)
	number("timeout", w.timeout.Seconds(), &p.TimeoutSeconds)
	number("deadline", w.deadline.Seconds(), &p.DeadlineSeconds)
	number("wait-ttl", w.waitTTL.Seconds(), &p.WaitTTLSeconds)
	number("lost-after", w.lostAfter.Seconds(), &p.LostAfterSeconds)
	whole("max-attempts", w.attempts, &p.MaxAttempts)
	whole("priority", w.priority, &p.Priority)
	if e.given("dry-run") {
		p.DryRun = &w.dryRun
	}
	if e.given("fuel") {
		p.Fuel = &w.fuel
	}
	var err error
	if p.Sandbox, p.Clock, p.Seed, err = w.changes(e.given); err != nil {
		return p, err
	}
	if err := e.target(&p); err != nil {
		return p, err
	}
	return p, e.labels(&p)
}

// target replaces the whole target when any part of it was given.
func (e *edit) target(p *sdk.TaskPatch) error {
	given := false
	for _, flag := range []string{"target", "count", "agent", "selector"} {
		given = e.given(flag) || given
	}
	if !given {
		return nil
	}
	t, err := e.work.targeted()
	p.Target = &t
	return err
}

func (e *edit) labels(p *sdk.TaskPatch) error {
	if !e.given("label") {
		return nil
	}
	set, err := pairs("label", e.task.labels)
	if err != nil {
		return err
	}
	p.Labels = map[string]*string{}
	for k, v := range set {
		if v == "" {
			p.Labels[k] = nil
		} else {
			p.Labels[k] = &v
		}
	}
	return nil
}

// params types --param by the schema of what the task will run.
func (e *edit) params(ctx context.Context, a *app, c *sdk.Client, name, plugin string) ([]byte, error) {
	e.any = true
	task, err := c.Task(ctx, name)
	if err != nil {
		return nil, err
	}
	if plugin == "" {
		plugin = task.Plugin
	}
	action := e.work.action
	if action == "" && plugin == task.Plugin {
		action = task.Action
	}
	version := e.work.version
	if version == "" {
		version = task.Version
	}
	found, err := resolveAction(ctx, c, plugin, version, action)
	if err != nil {
		return nil, err
	}
	return e.work.params.read(a.In, found.Params)
}
