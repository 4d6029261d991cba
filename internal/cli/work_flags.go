package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
	"octopus/sdk/spec"
)

// workFlags say what to run, where and under which policies: for `run`, `tasks create` and `tasks edit`.
type workFlags struct {
	action, version           string
	params                    paramFlags
	target, agent, selector   string
	count, attempts, priority int
	timeout, deadline         time.Duration
	waitTTL, lostAfter        time.Duration
	onLost                    string
	fuel                      int64
	dryRun                    bool
	sandboxFlags
	changed func(flag string) bool
}

func (w *workFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	w.changed = f.Changed
	f.StringVar(&w.action, "action", "", "action of the plugin (default its only one)")
	f.StringVar(&w.version, "plugin-version", "", "exact version, a range such as ^1.2, or a ring: canary, early, all (default the newest of the run's ring)")
	w.params.register(f)
	f.StringVar(&w.target, "target", "", "any, all or agent (default any one)")
	f.IntVar(&w.count, "count", 0, "with --target any: how many agents")
	f.StringVar(&w.agent, "agent", "", "one agent, by name or id")
	f.StringVar(&w.selector, "selector", "", `labels that an agent must have, such as "env=prod,role in (web,db)"`)
	f.DurationVar(&w.timeout, "timeout", 0, "of one attempt (default what the plugin says)")
	f.DurationVar(&w.deadline, "deadline", 0, "over all attempts")
	f.DurationVar(&w.waitTTL, "wait-ttl", 0, "how long it may wait for an agent")
	f.DurationVar(&w.lostAfter, "lost-after", 0, "silence of the agent after which it is lost")
	f.StringVar(&w.onLost, "on-lost", "", "fail or retry; retry needs an idempotent action")
	f.IntVar(&w.attempts, "max-attempts", 0, "tries in all")
	f.IntVar(&w.priority, "priority", 0, "higher first")
	f.BoolVar(&w.dryRun, "dry-run", false, "record what would change something, instead of doing it")
	f.Int64Var(&w.fuel, "fuel", 0, "how much the plugin may execute, about one unit an instruction (default what the plugin says)")
	w.sandboxFlags.register(f, "")
}

// targeted returns the target, as its flags imply each other: --agent is mode agent.
func (w *workFlags) targeted() (sdk.Target, error) {
	if w.agent == "" && w.target == "" && w.changed("agent") { // a variable of a script that is not set must not mean any
		return sdk.Target{}, usagef("--agent is empty: name an agent, or leave it out for any.")
	}
	t := sdk.Target{Mode: w.target, Count: w.count, Agent: w.agent, Selector: w.selector}
	if t.Mode == "" && t.Agent != "" {
		t.Mode = "agent"
	}
	switch t.Mode {
	case "", "any", "all":
		if t.Agent != "" {
			return t, usagef("--agent names one agent: leave --target out, or make it agent.")
		}
	case "agent":
		if t.Agent == "" {
			return t, usagef("--target agent needs --agent NAME.")
		}
	default:
		return t, oneOf("target", t.Mode, "any", "all", "agent")
	}
	return t, nil
}

// work resolves the flags for a plugin: it asks the server for the plugin's actions and their schemas.
func (w *workFlags) work(ctx context.Context, a *app, c *sdk.Client, plugin string) (sdk.Work, error) {
	target, err := w.targeted()
	if err != nil {
		return sdk.Work{}, err
	}
	clock, seed, err := w.sandboxed()
	if err != nil {
		return sdk.Work{}, err
	}
	action, err := resolveAction(ctx, c, plugin, w.version, w.action)
	if err != nil {
		return sdk.Work{}, err
	}
	params, err := w.params.read(a.In, action.Params)
	if err != nil {
		return sdk.Work{}, err
	}
	return sdk.Work{
		Plugin: plugin, Version: w.version, Action: action.Name, Params: params, Target: target,
		TimeoutSeconds: w.timeout.Seconds(), DeadlineSeconds: w.deadline.Seconds(),
		WaitTTLSeconds: w.waitTTL.Seconds(), LostAfterSeconds: w.lostAfter.Seconds(),
		OnLost: w.onLost, MaxAttempts: w.attempts, Priority: w.priority, DryRun: w.dryRun, Fuel: w.fuel,
		Sandbox: w.sandbox, Clock: clock, Seed: seed,
	}, nil
}

// resolveAction finds the action of a plugin; "" is its only one. A plugin without a readable manifest is left to
// the server to judge.
func resolveAction(ctx context.Context, c *sdk.Client, plugin, version, name string) (spec.Action, error) {
	p, err := c.Plugin(ctx, plugin)
	if err != nil {
		return spec.Action{}, err
	}
	manifest := manifestOf(p, version)
	if action, ok := manifest.Action(name); ok {
		return action, nil
	}
	names := make([]string, len(manifest.Actions))
	for i, a := range manifest.Actions {
		names[i] = a.Name
	}
	switch {
	case name == "" && len(names) == 1:
		return manifest.Actions[0], nil
	case name == "":
		return spec.Action{}, usagef("%s has several actions: name one with --action %s.", plugin, strings.Join(names, "|"))
	}
	return spec.Action{Name: name}, nil
}

// manifestOf reads the manifest of a version, or of the newest one.
func manifestOf(p sdk.Plugin, version string) (m spec.Manifest) {
	for i, v := range p.Versions {
		if v.Version == version || i == 0 {
			m = spec.Manifest{}
			if json.Unmarshal(v.Manifest, &m) != nil {
				m = spec.Manifest{}
			}
		}
		if v.Version == version {
			break
		}
	}
	return m
}
