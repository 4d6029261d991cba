package cli

import (
	"github.com/spf13/cobra"

	"octopus/wasmplugins"
)

// runnerCommand is what an agent starts. main calls the runner before any of this; the command is here so that the
// grammar is whole.
func runnerCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "runner",
		Short:              "Run untrusted modules; started by an agent",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return exitError{code: wasmplugins.RunnerMain(args)}
		},
	}
}
