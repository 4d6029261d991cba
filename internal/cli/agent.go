package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// agentCommand is `octopus agent`: it runs an agent on this machine.
func (a *app) agentCommand() *cobra.Command {
	return &cobra.Command{Use: "agent", Short: "Run an agent on this machine", Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return errors.New("not built yet") }}
}
