package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// serverCommand is `octopus server`. (The integrator fills this in.)
func (a *app) serverCommand() *cobra.Command {
	return &cobra.Command{Use: "server", Short: "Run a server", Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return errors.New("not built yet") }}
}
