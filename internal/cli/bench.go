package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/bench"
	"octopus/sdk"
)

// benchCommand is `octopus bench`: load on the server of the current context, and one JSON object about it.
func (a *app) benchCommand() *cobra.Command {
	cmd := group("bench", "Put load on a server and measure it", a.benchAgents(), a.benchExecutions(), a.benchViewers())
	cmd.Long = `Put load on the server of the current context, and print one JSON object with percentiles.

What the server's process needs is part of it when the server runs on this machine under your user (Linux).
Agents and runs that a load makes stay in the server's database: use a server that you can throw away.`
	return cmd
}

// target is the server that a load goes to.
func (a *app) target() (Context, error) {
	_, c, err := a.currentContext()
	if err != nil {
		return c, err
	}
	_, err = newClient(c) // says what is wrong with the address
	return c, err
}

// printBench prints the result, complete or not.
func (a *app) printBench(ctx context.Context, result any, err error) error {
	if err != nil && ctx.Err() == nil {
		return err
	}
	if err := printJSON(a.Out, result); err != nil {
		return err
	}
	return ctx.Err()
}

func (a *app) benchAgents() *cobra.Command {
	load := bench.Agents{}
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "Connect many simulated agents and hold them",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.target()
			if err != nil {
				return err
			}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			load.Server = c.URL
			load.Progress = func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
			if load.Token == "" {
				token, err := client.CreateJoinToken(cmd.Context(), sdk.NewJoinToken{Name: "bench", MaxUses: new(int), TTLSeconds: 3600})
				if err != nil {
					return err
				}
				load.Token = token.Secret
			}
			result, err := load.Run(cmd.Context())
			return a.printBench(cmd.Context(), result, err)
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&load.N, "number", "n", 10_000, "how many")
	fs.DurationVar(&load.Hold, "hold", 30*time.Second, "how long all stay connected")
	fs.IntVar(&load.Parallel, "parallel", 64, "how many connect at a time")
	fs.StringVar(&load.Token, "token", "", "join token (default a new one)")
	fs.BoolVar(&load.Insecure, "insecure", false, "do not check the server's certificate")
	return cmd
}

func (a *app) benchExecutions() *cobra.Command {
	load := bench.Executions{}
	cmd := &cobra.Command{
		Use:   "executions",
		Short: "Start runs over REST and wait for each",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.target()
			if err != nil {
				return err
			}
			load.Server, load.Token = c.URL, c.APIToken
			result, err := load.Run(cmd.Context())
			return a.printBench(cmd.Context(), result, err)
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&load.N, "number", "n", 0, "how many (default as many as fit into --duration)")
	fs.DurationVar(&load.Duration, "duration", 0, "how long (default 10s)")
	fs.IntVarP(&load.InFlight, "in-flight", "c", 1, "how many at a time")
	fs.StringVar(&load.Plugin, "plugin", "noop", "what runs")
	fs.StringVar(&load.Action, "action", "run", "its action")
	return cmd
}

func (a *app) benchViewers() *cobra.Command {
	load := bench.Viewers{}
	cmd := &cobra.Command{
		Use:   "viewers",
		Short: "Open many live streams and start runs under them",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.target()
			if err != nil {
				return err
			}
			load.Server, load.Token = c.URL, c.APIToken
			result, err := load.Run(cmd.Context())
			return a.printBench(cmd.Context(), result, err)
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&load.N, "number", "n", 1000, "how many")
	fs.Float64Var(&load.Rate, "rate", 2, "runs that are started each second")
	fs.DurationVar(&load.Duration, "duration", 15*time.Second, "how long")
	fs.BoolVar(&load.API, "api", false, "read the events of the API instead of the pages'")
	fs.StringVar(&load.Topics, "topics", "executions", "what they watch")
	return cmd
}
