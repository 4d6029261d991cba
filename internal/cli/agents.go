package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// agentsCommands are the verbs of `octopus agents`.
func (a *app) agentsCommands() []*cobra.Command {
	return []*cobra.Command{
		a.agentsList(), a.agentsGet(),
		a.agentAction("enable", "Let agents work", "enable"),
		a.agentAction("disable", "Keep agents from working", "disable"),
		a.agentAction("drain", "Give agents no new work; what runs there finishes", "drain"),
		a.agentAction("undrain", "Give drained agents work again", "undrain"),
		a.agentAction("restart", "Have agents finish what runs and start again", "restart"),
		a.agentAction("revoke", "Refuse the agents' keys for good", "revoke"),
		a.agentsRename(), a.agentsRemove(),
		group("tokens", "Join tokens, with which machines enrol themselves", a.joinTokensCommands()...),
	}
}

func (a *app) agentsList() *cobra.Command {
	var f sdk.AgentFilter
	var list listFlags
	cmd := a.online("list", "List agents", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			f.List = list.List
			page, err := c.Agents(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, agentTable)
		})
	list.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.Text, "text", "", "whose name holds a word")
	fs.StringVar(&f.Status, "status", "", "online, offline or disabled")
	fs.StringVar(&f.Selector, "selector", "", `whose labels match, such as "env=prod,os=linux"`)
	return cmd
}

func (a *app) agentsGet() *cobra.Command {
	return a.online("get AGENT", "Show an agent", exactly("AGENT"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			g, err := c.Agent(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(g, func(t *tabwriter.Writer) { showAgent(t, g) })
		})
}

func showAgent(t io.Writer, g sdk.Agent) {
	row(t, "Agent", g.Name+" ("+g.ID+")")
	row(t, "Status", agentStatus(g))
	row(t, "Machine", fmt.Sprintf("%s, %s %s, %d CPUs, %d MiB", dash(g.Facts.Hostname), dash(g.Facts.Platform), g.Facts.Arch, g.Facts.CPUs, g.Facts.MemoryBytes>>20))
	row(t, "User", dash(g.Facts.User))
	row(t, "Version", dash(g.Facts.AgentVersion))
	row(t, "Labels", dash(labels(g.Labels)))
	row(t, "Slots", fmt.Sprintf("%d of %d free", g.Free, g.Slots))
	row(t, "Sandbox", dash(g.Facts.SandboxLevel))
	if len(g.Facts.SandboxMissing) > 0 {
		row(t, "", "missing: "+strings.Join(g.Facts.SandboxMissing, ", "))
	}
	if len(g.Facts.SandboxWithout) > 0 {
		row(t, "", "without: "+strings.Join(g.Facts.SandboxWithout, ", "))
	}
	row(t, "Address", dash(g.RemoteAddr))
	row(t, "Connected", stamp(g.ConnectedAt))
	if by := (octopus.Facts{Transport: octopus.Transport(g.Facts.Transport), TransportReason: g.Facts.TransportReason}).Connection(); by != "" {
		row(t, "Connected by", by)
	}
	row(t, "Last seen", stamp(g.LastSeen))
	if g.LastRefusal != "" {
		row(t, "Refused", stamp(g.LastRefusalAt)+" "+g.LastRefusal)
	}
	for _, id := range g.Running {
		row(t, "Runs", id)
	}
}

// agentAction is a verb that acts on one or more agents.
func (a *app) agentAction(verb, short, action string) *cobra.Command {
	return a.online(verb+" AGENT...", short, atLeastOne("AGENT"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			return a.actOnAgents(ctx, c, args, action)
		})
}

func (a *app) actOnAgents(ctx context.Context, c *sdk.Client, names []string, action string) error {
	changed := []sdk.Agent{}
	for _, name := range names {
		g, err := c.AgentAction(ctx, name, action)
		if err != nil {
			return err
		}
		changed = append(changed, g)
	}
	return a.print(changed, func(t *tabwriter.Writer) { agentTable(t, changed) })
}

func (a *app) agentsRename() *cobra.Command {
	return a.online("rename AGENT NAME", "Give an agent another name", exactly("AGENT", "NAME"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			g, err := c.RenameAgent(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return a.print(g, func(t *tabwriter.Writer) { agentTable(t, []sdk.Agent{g}) })
		})
}

func (a *app) agentsRemove() *cobra.Command {
	return a.online("remove AGENT...", "Forget agents; what ran there stays", atLeastOne("AGENT"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			return a.forEach(args, "removed", func(name string) error { return c.RemoveAgent(ctx, name) })
		})
}

// joinTokensCommands are the verbs of `octopus agents tokens`.
func (a *app) joinTokensCommands() []*cobra.Command {
	return []*cobra.Command{
		a.online("list", "List join tokens", exactly(), func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.JoinTokens(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, joinTokenTable)
		}),
		a.joinTokensCreate(),
		a.online("revoke TOKEN...", "End join tokens; agents that used them stay", atLeastOne("TOKEN"),
			func(ctx context.Context, c *sdk.Client, args []string) error {
				return a.forEach(args, "revoked", func(id string) error { return c.RevokeJoinToken(ctx, id) })
			}),
	}
}

func (a *app) joinTokensCreate() *cobra.Command {
	var name string
	var uses int
	var ttl time.Duration
	var labels []string
	cmd := a.online("create", "Make a join token and show how to use it", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) (err error) {
			if ttl < time.Second {
				return usagef("--ttl is %s, but must be at least 1s.", ttl)
			}
			n := sdk.NewJoinToken{Name: name, MaxUses: &uses, TTLSeconds: ttl.Seconds()}
			if n.Labels, err = pairs("label", labels); err != nil {
				return err
			}
			made, err := c.CreateJoinToken(ctx, n)
			if err != nil {
				return err
			}
			if a.flags.output != "table" {
				return a.print(made, nil)
			}
			fmt.Fprintln(a.Out, made.Secret)
			fmt.Fprintf(a.Err, "It is shown only now. On the other machine:\n  octopus agent --server %s --token %s\n", c.BaseURL(), made.Secret)
			return nil
		})
	fs := cmd.Flags()
	fs.StringVar(&name, "name", "", "shown on the agents that used it")
	fs.IntVar(&uses, "uses", 1, "how many machines; 0 is any number")
	fs.DurationVar(&ttl, "ttl", 24*time.Hour, "how long it can be used")
	fs.StringArrayVar(&labels, "label", nil, "label k=v that agents get who use it; may be repeated")
	return cmd
}

// forEach does the same to each name and says so; the first error ends it.
func (a *app) forEach(names []string, done string, do func(string) error) error {
	for _, name := range names {
		if err := do(name); err != nil {
			return err
		}
		fmt.Fprintf(a.Err, "%s: %s\n", name, done)
	}
	return nil
}
