package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/agent"
	"octopus/sdk"
)

// pluginsKeys is `octopus plugins keys` with its verbs.
func (a *app) pluginsKeys() *cobra.Command {
	cmd := a.online("keys", "Show the keys with which the server signs plugins", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.SigningKeys(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, keyTable)
		})
	cmd.AddCommand(a.keysRotate(), a.online("retire KEY", "Take nothing any more that only this key signed", exactly("KEY"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if err := c.RetireSigningKey(ctx, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s: retired\n", args[0])
			return nil
		}))
	return cmd
}

func keyTable(t io.Writer, keys []sdk.SigningKey) {
	row(t, "KEY", "STATUS", "ENDORSED BY")
	for _, k := range keys {
		row(t, k.ID, k.Status, dash(k.EndorsedBy))
	}
}

func (a *app) keysRotate() *cobra.Command {
	var r sdk.RotateKey
	cmd := a.online("rotate", "Make a new key; agents follow by themselves", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			k, err := c.RotateSigningKey(ctx, r)
			if err != nil {
				return err
			}
			if k.EndorsedBy != "" {
				fmt.Fprintf(a.Err, "What the old key signed is taken until you retire it: octopus plugins keys retire %s\n", k.EndorsedBy)
			}
			return a.print(k, func(t *tabwriter.Writer) { keyTable(t, []sdk.SigningKey{k}) })
		})
	cmd.Flags().BoolVar(&r.Lost, "lost", false, "the old key is gone: each agent's owner has to run octopus agent trust")
	return cmd
}

// agentTrust is `octopus agent trust`.
func (a *app) agentTrust() *cobra.Command {
	cfg := agent.Defaults()
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Forget the keys of the server that this agent has pinned; the next start pins those that it names then",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			if err := agent.ForgetServerKeys(cfg.Data); err != nil {
				return err
			}
			fmt.Fprintln(a.Err, "Forgotten. Start the agent again; it pins the keys that its server names then.")
			return nil
		},
	}
	a.bind(cmd, &cfg, "base", nil, "agent.data")
	return cmd
}
