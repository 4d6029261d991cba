package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// mostSwitched is how many plugins the server takes in one request.
const mostSwitched = 200

// pluginsSwitch enables or disables plugins and versions, each by itself: what cannot be switched is said, and the
// others are.
func (a *app) pluginsSwitch(verb, short string, enabled bool) *cobra.Command {
	var version string
	cmd := a.online(verb+" PLUGIN...", short, atLeastOne("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if version != "" && len(args) > 1 {
				return usagef("--version is of one plugin, and there are %d. Write PLUGIN@VERSION.", len(args))
			}
			if len(args) > mostSwitched {
				return usagef("These are %d plugins; at most %d are switched at once.", len(args), mostSwitched)
			}
			body := sdk.SwitchPlugins{Enabled: enabled}
			for _, arg := range args {
				name, its, _ := strings.Cut(arg, "@")
				if version != "" {
					its = version
				}
				body.Plugins = append(body.Plugins, sdk.PluginRef{Plugin: name, Version: its})
			}
			done, err := c.SwitchPlugins(ctx, body)
			if err != nil {
				return err
			}
			return a.saySwitched(done, verb+"d")
		})
	cmd.Flags().StringVar(&version, "version", "", "one version only, as PLUGIN@VERSION")
	return cmd
}

// saySwitched tells what became of each; with one that failed the command fails as that one alone would.
func (a *app) saySwitched(done sdk.SwitchedPlugins, word string) error {
	code := ExitOK
	for _, p := range done.Items {
		name := strings.TrimSpace(p.Plugin + " " + p.Version)
		switch {
		case p.Error != nil:
			fmt.Fprintf(a.Err, "%s: %s\n", name, harmless(p.Error.Message))
			if code == ExitOK {
				code = exitOfCode(octopus.Code(p.Error.Code))
			}
		case p.Changed:
			fmt.Fprintf(a.Err, "%s: %s\n", name, word)
		default:
			fmt.Fprintf(a.Err, "%s: %s already\n", name, word)
		}
	}
	if a.flags.output != "table" {
		if err := a.print(done, nil); err != nil {
			return err
		}
	}
	if code != ExitOK {
		return exitError{code: code}
	}
	return nil
}
