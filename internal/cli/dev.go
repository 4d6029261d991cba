package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// devCommand is `octopus dev`. (The integrator fills this in.)
func (a *app) devCommand() *cobra.Command {
	return &cobra.Command{Use: "dev", Short: "A server, an agent and the built-in plugins, to try things out", Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return errors.New("not built yet") }}
}
