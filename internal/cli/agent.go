package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"octopus/agent"
	"octopus/internal/octopus"
	"octopus/internal/version"
)

// agentCommand is `octopus agent`: the process, and what its owner asks it on the same machine.
func (a *app) agentCommand() *cobra.Command {
	cfg := agent.Defaults()
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run an agent on this machine",
		Long: `Run an agent: it connects to a server, takes work, and runs plugins in a sandbox.

The first start needs --server and a join token ("Add an agent" on the dashboard shows one); from then on
the data folder knows both. To list agents, use "octopus agents list".`,
		Args: noAgentsVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runAgent(cmd.Context(), cfg) },
	}
	a.bind(cmd, &cfg, "base", func() error { return cfg.Validate() })
	cmd.AddCommand(a.agentCheck(), a.agentStatus(), a.agentTrust(), a.agentInstall(), a.agentUninstall())
	return cmd
}

// noAgentsVerb catches `octopus agent list`.
func noAgentsVerb(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("octopus agent runs an agent; did you mean octopus agents %s?", strings.Join(args, " "))
}

// connection are the settings that agent check and agent install have in common.
func connection() []string {
	return []string{"agent.server", "agent.data", "agent.ca_file", "agent.insecure", "agent.transport"}
}

func (a *app) runAgent(ctx context.Context, cfg agent.Config) error {
	log, end, err := cfg.Logging.Open(a.Err)
	if err != nil {
		return usageError{err}
	}
	defer end() //nolint:errcheck // what it wrote is not the agent's work
	cfg.Log, cfg.Version = log, version.Version
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
	if err := octopus.CheckLabels(out); err != nil {
		return nil, usagef("--%s: %s", flag, octopus.Sentence(err))
	}
	return out, nil
}
