package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// ringCommands are the verbs that say which runs get which version.
func (a *app) ringCommands() []*cobra.Command {
	return []*cobra.Command{
		a.pluginsRings(), a.pluginsRing(), a.pluginsRollback(),
		a.pluginsHold("hold", "Keep a version from runs that follow the plugin; it stays published", "held"),
		a.pluginsHold("resume", "Take back that a version is held", "resumed"),
	}
}

// ringFlag is where a version that is published goes.
func ringFlag(cmd *cobra.Command, ring *string) {
	cmd.Flags().StringVar(ring, "ring", "", "which runs get it: canary (5 %), early (25 %) or all (default as the server is set)")
}

func (a *app) pluginsRings() *cobra.Command {
	var wish string
	cmd := a.online("rings PLUGIN", "Show which share of the runs gets which version", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			page, err := c.Shares(ctx, args[0], wish)
			if err != nil {
				return err
			}
			return printPage(a, page, func(t io.Writer, shares []sdk.Share) {
				row(t, "VERSION", "RUNS", "RING")
				for _, s := range shares {
					row(t, s.Version, fmt.Sprint(s.Percent, " %"), s.Ring)
				}
			})
		})
	cmd.Flags().StringVar(&wish, "plugin-version", "", "what the runs ask for: a range such as ^1.2, or a ring (default the newest)")
	return cmd
}

func (a *app) pluginsRing() *cobra.Command {
	return a.online("ring PLUGIN VERSION RING", "Place a version in a ring: canary (5 % of the runs), early (25 %) or all", exactly("PLUGIN", "VERSION", "RING"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if ring := octopus.Ring(args[2]); ring != octopus.RingCanary && ring != octopus.RingEarly && ring != octopus.RingAll {
				return usagef("RING is %q, but must be one of canary, early, all.", args[2])
			}
			if err := c.SetRing(ctx, args[0], args[1], args[2]); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s %s: %s\n", args[0], args[1], args[2])
			return nil
		})
}

func (a *app) pluginsRollback() *cobra.Command {
	var to string
	cmd := a.online("rollback PLUGIN", "Make an older version the one that runs get, and hold those above it", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			done, err := c.RollBackPlugin(ctx, args[0], to)
			if err != nil {
				return err
			}
			for _, v := range done.Held {
				fmt.Fprintf(a.Err, "%s %s is held. To take it back: octopus plugins resume %s %s\n", args[0], v, args[0], v)
			}
			return a.print(done, func(t *tabwriter.Writer) {
				row(t, "Runs get", done.Version)
				row(t, "Held", dash(strings.Join(done.Held, ", ")))
			})
		})
	cmd.Flags().StringVar(&to, "to", "", "the version that runs get (default the one before)")
	return cmd
}

func (a *app) pluginsHold(verb, short, said string) *cobra.Command {
	return a.online(verb+" PLUGIN VERSION", short, exactly("PLUGIN", "VERSION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if err := c.ChangeVersion(ctx, args[0], args[1], verb); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s %s: %s\n", args[0], args[1], said)
			return nil
		})
}

// ringWords says which runs get a version, and how it does there.
func ringWords(v sdk.PluginVersion) string {
	words := "ring " + v.Ring
	if v.Held {
		words = "held (" + strings.TrimRight(v.HeldWhy, ".") + ")"
	}
	if o := v.Outcomes; o != nil && !v.Held {
		words += fmt.Sprintf(", %d of %d failed", o.Failed, o.Succeeded+o.Failed)
	}
	return words
}
