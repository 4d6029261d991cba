package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/bench"
	"octopus/server"
)

// benchCommand is `octopus bench`: load on the server of the current context, and one JSON object about it.
func (a *app) benchCommand() *cobra.Command {
	cmd := group("bench", "Put load on a server and measure it", a.benchAgents(), a.benchExecutions(), a.benchViewers(), a.benchLists(), a.benchFill())
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
	var own, tls bool
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "Connect many simulated agents and hold them",
		Long: `Connect many simulated agents and hold them. They beat their hearts as agents do, and most run nothing.

--own starts a server for it in a temporary folder. With --down that server is killed under its agents, as a crash
does, and started again so much later: how they come back, how the agents page answers meanwhile, and what became
of the executions that ran on --work of them is part of the result.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !own && (tls || load.Down > 0) {
				return usagef("--tls and --down are for a server of the load's own: add --own.")
			}
			load.Progress = func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
			run := func(w *bench.World) error {
				load.World = w
				result, err := load.Run(cmd.Context())
				return a.printBench(cmd.Context(), result, err)
			}
			if own {
				return a.onOwnServer(cmd.Context(), tls, run)
			}
			c, err := a.target()
			if err != nil {
				return err
			}
			load.Server, load.APIToken = c.URL, c.APIToken
			return run(nil)
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&load.N, "number", "n", 10_000, "how many")
	fs.DurationVar(&load.Hold, "hold", 30*time.Second, "how long all stay connected")
	fs.IntVar(&load.Parallel, "parallel", 64, "how many enrol, and connect at first, at a time")
	fs.BoolVar(&load.Insecure, "insecure", false, "do not check the server's certificate")
	fs.BoolVar(&own, "own", false, "start a server for it in a temporary folder")
	fs.BoolVar(&tls, "tls", false, "with --own: the server speaks TLS")
	fs.DurationVar(&load.Down, "down", 0, "with --own: kill the server at the end and start it again so much later")
	fs.IntVar(&load.Work, "work", 0, "with --down: how many agents hold a running execution when the server is killed")
	return cmd
}

func (a *app) benchExecutions() *cobra.Command {
	load := bench.Executions{}
	var own bool
	var slots int
	cmd := &cobra.Command{
		Use:   "executions",
		Short: "Start runs over REST and wait for each",
		Long: `Start runs over REST and wait for each.

What each execution costs in CPU is told apart by process: the server, the agents that are connected to it, their
sandboxes (runners), and this client. --own starts a server and an agent for it, as two processes.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if own {
				return a.onOwnServer(cmd.Context(), false, func(w *bench.World) error {
					if err := w.Agent(cmd.Context(), slots); err != nil {
						return err
					}
					load.Server, load.Token = w.URL, w.Token
					result, err := load.Run(cmd.Context())
					return a.printBench(cmd.Context(), result, err)
				})
			}
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
	fs.BoolVar(&own, "own", false, "start a server and an agent for it in a temporary folder")
	fs.IntVar(&slots, "slots", 0, "of the agent that --own starts (default as octopus agent)")
	return cmd
}

// onOwnServer starts a server in a temporary folder, which ends and goes when do returns.
func (a *app) onOwnServer(ctx context.Context, tls bool, do func(*bench.World) error) error {
	folder, err := os.MkdirTemp("", "octopus-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	w, err := bench.OwnServer(ctx, bench.WorldOptions{Folder: folder, TLS: tls, Log: a.Err})
	if err != nil {
		return err
	}
	defer w.Stop()
	return do(w)
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

func (a *app) benchLists() *cobra.Command {
	load := bench.Lists{}
	cmd := &cobra.Command{
		Use:   "lists",
		Short: "Read every list page and API list, with each filter",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.target()
			if err != nil {
				return err
			}
			load.Server, load.Token = c.URL, c.APIToken
			load.Progress = func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
			result, err := load.Run(cmd.Context())
			return a.printBench(cmd.Context(), result, err)
		},
	}
	cmd.Flags().IntVarP(&load.Requests, "number", "n", 20, "requests of each list")
	return cmd
}

func (a *app) benchFill() *cobra.Command {
	load := bench.Fill{}
	var data string
	cmd := &cobra.Command{
		Use:   "fill",
		Short: "Store a history of many executions",
		Long: `Store a history of executions that have ended, with their runs, attempts and events, straight into a database on
which no server works: lists, searches and the start of a server can then be measured as they are after months.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if load.Database == "" {
				load.Database = filepath.Join(data, "octopus.db")
			}
			release, err := server.Hold(load.Database)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, release()) }()
			load.Progress = func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
			result, err := load.Run(cmd.Context())
			return a.printBench(cmd.Context(), result, err)
		},
	}
	fs := cmd.Flags()
	fs.IntVarP(&load.N, "number", "n", 1_000_000, "how many executions")
	fs.IntVar(&load.Agents, "agents", 1000, "how many agents they ran on")
	fs.IntVar(&load.Tasks, "tasks", 200, "how many tasks they belong to")
	fs.IntVar(&load.Days, "days", 20, "how far back they go")
	fs.StringVar(&data, "data", "octopus-data", "the server's folder, with octopus.db")
	fs.StringVar(&load.Database, "database", "", "PostgreSQL URL or SQLite file, instead of --data")
	return cmd
}
