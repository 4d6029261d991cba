package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// secretsCommands are the verbs of `octopus secrets`.
func (a *app) secretsCommands() []*cobra.Command {
	return []*cobra.Command{a.secretsList(), a.secretsSet(), a.secretsRemove(), a.secretsRotate()}
}

func (a *app) secretsList() *cobra.Command {
	return a.online("list", "List secrets with the plugins that may use them, never their values", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Secrets(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, secretTable)
		})
}

func secretTable(t io.Writer, list []sdk.Secret) {
	row(t, "NAME", "CHANGED", "BY", "LAST USED", "USED BY")
	now := time.Now()
	for _, s := range list {
		var uses []string
		for _, u := range s.Grants {
			uses = append(uses, fmt.Sprintf("%s %s (%s)", u.Plugin, u.Version, u.Expose))
		}
		row(t, s.Name, ago(s.UpdatedAt, now), s.UpdatedBy, ago(s.LastUsed, now), dash(strings.Join(uses, ", ")))
	}
}

func (a *app) secretsSet() *cobra.Command {
	cmd := a.online("set NAME", "Store a secret, or give it another value; it is read from standard input", exactly("NAME"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			value, err := a.readSecret("Value of " + args[0] + ": ")
			if err != nil {
				return err
			}
			if _, err := c.SetSecret(ctx, args[0], value); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s: stored\n", args[0])
			return nil
		})
	cmd.Long = `Store a secret, or give one that exists another value. Nobody can read it back: plugins get it where a grant binds it.

On a terminal the value is asked for, and what is typed is not shown. Otherwise all of standard input is the value,
without the line break at its end, so that a file can be given.`
	return cmd
}

// readSecret reads a line from a terminal without showing it, and else all of standard input.
func (a *app) readSecret(question string) (string, error) {
	if isTerminal(a.In) {
		return a.askSecret(question)
	}
	const most = 64 << 10 // the server takes as much
	raw, err := io.ReadAll(io.LimitReader(a.In, most+2))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case value == "":
		return "", usagef("Nothing was given on standard input.")
	case len(value) > most:
		return "", usagef("A secret has at most %d KiB.", most>>10)
	}
	return value, nil
}

func (a *app) secretsRemove() *cobra.Command {
	return a.online("remove NAME...", "Delete secrets; plugins that need them are refused from then on", atLeastOne("NAME"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			return a.forEach(args, "removed", func(name string) error { return c.RemoveSecret(ctx, name) })
		})
}

func (a *app) secretsRotate() *cobra.Command {
	var r sdk.RotateSecrets
	cmd := a.online("rotate-key", "Make a new key and seal all secrets and users' parameters with it", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			done, err := c.RotateSecrets(ctx, r)
			if err != nil {
				return err
			}
			return a.print(done, func(t *tabwriter.Writer) {
				row(t, "Key", done.Key)
				row(t, "Sealed again", fmt.Sprint(done.Kept))
				row(t, "Removed", fmt.Sprint(done.Removed))
			})
		})
	cmd.Long = `Make a new key and seal all secrets and users' parameters with it, at once.

The key file keeps the old key, for backups that were made before. Where several servers share a database and not the
file, copy it to the others: they say so until they have it.`
	cmd.Flags().BoolVar(&r.Forget, "forget", false, "remove what cannot be read any more, where a key is lost")
	return cmd
}

// paramsCommands are the verbs of `octopus params`: one's own parameters.
func (a *app) paramsCommands() []*cobra.Command {
	return []*cobra.Command{
		a.online("list", "Show your parameters, by category", exactly(), func(ctx context.Context, c *sdk.Client, _ []string) error {
			all, err := c.Params(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(t *tabwriter.Writer) {
				row(t, "CATEGORY", "PARAMETERS")
				for _, category := range sortedKeys(all) {
					row(t, category, oneLine(string(compact(all[category])), 100))
				}
			})
		}),
		a.paramsSet(),
		a.online("remove CATEGORY...", "Remove categories of your parameters", atLeastOne("CATEGORY"),
			func(ctx context.Context, c *sdk.Client, args []string) error {
				return a.forEach(args, "removed", func(category string) error { return c.RemoveParams(ctx, category) })
			}),
	}
}

func (a *app) paramsSet() *cobra.Command {
	var params paramFlags
	cmd := a.online("set CATEGORY", "Replace one category of your parameters", exactly("CATEGORY"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			raw, err := params.read(a.In, nil)
			if err != nil {
				return err
			}
			if raw == nil {
				return usagef("Nothing was named: use --param or --params.")
			}
			if err := c.SetParams(ctx, args[0], raw); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s: stored\n", args[0])
			return nil
		})
	cmd.Long = `Replace one category of your parameters. Plugins know those categories that their grant names, when you start them.`
	params.register(cmd.Flags())
	return cmd
}
