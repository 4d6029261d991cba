package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"octopus/agent"
	"octopus/internal/version"
)

// agentCommand is `octopus agent`: the process, and what its owner asks it on the same machine.
func (a *app) agentCommand() *cobra.Command {
	var f agentFlags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run an agent on this machine",
		Long: `Run an agent: it connects to a server, takes work, and runs plugins in a sandbox.

The first start needs --server and a join token ("Add an agent" on the dashboard shows one); from then on
the data folder knows both. To list agents, use "octopus agents list".`,
		Args: noAgentsVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runAgent(cmd.Context(), f) },
	}
	f.register(cmd.Flags())
	withSettings(cmd, "agent")
	cmd.AddCommand(a.agentCheck(), a.agentStatus(), a.agentInstall(), a.agentUninstall())
	return cmd
}

// noAgentsVerb catches `octopus agent list`.
func noAgentsVerb(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("octopus agent runs an agent; did you mean octopus agents %s?", strings.Join(args, " "))
}

// agentFlags are the flags of `octopus agent`.
type agentFlags struct {
	config              agent.Config
	labels              []string
	logLevel, logFormat string
}

func (f *agentFlags) register(fs *pflag.FlagSet) {
	f.connection(fs)
	fs.StringVar(&f.config.Token, "token", "", "join token; read only while the data folder holds no key")
	fs.StringVar(&f.config.TokenFile, "token-file", "", "file that holds the join token")
	fs.StringVar(&f.config.Name, "name", "", "name to ask for (default the host name)")
	fs.StringArrayVar(&f.labels, "label", nil, "label k=v; may be repeated")
	fs.IntVar(&f.config.Slots, "slots", 0, "executions at a time (default the number of CPUs, at least 2)")
	fs.StringVar(&f.config.Policy, "policy", "", "file with what this machine's owner allows (default: what was granted, except exec and files)")
	fs.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
}

// connection are the flags that agent and agent check have in common.
func (f *agentFlags) connection(fs *pflag.FlagSet) {
	fs.StringVar(&f.config.Server, "server", "", "address of the server, such as https://octopus.example.com")
	fs.StringVar(&f.config.Data, "data", agent.DefaultData(), "folder of the agent's key, journal and caches")
	fs.StringVar(&f.config.CAFile, "ca-file", "", "PEM file with further authorities to trust for the server")
	fs.BoolVar(&f.config.Insecure, "insecure", false, "allow plain http to a server on another machine; the connection can be read")
}

func (a *app) runAgent(ctx context.Context, f agentFlags) error {
	cfg := f.config
	log, err := newLogger(a.Err, f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	cfg.Log, cfg.Version = log, version.Version
	if cfg.Labels, err = pairs("label", f.labels); err != nil {
		return err
	}
	ag, err := agent.New(cfg)
	if err != nil {
		return err
	}
	err = ag.Run(ctx)
	switch {
	case errors.Is(err, agent.ErrRestart):
		return restart()
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return nil
	}
	return err
}

// pairs reads k=v words.
func pairs(flag string, words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(words))
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return nil, usagef("--%s is %q, but must look like key=value.", flag, w)
		}
		out[k] = v
	}
	return out, nil
}
