package cli

import (
	"context"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/server"
)

// bootstrapCommand is `octopus bootstrap`: the first administrator, without a browser.
func (a *app) bootstrapCommand() *cobra.Command {
	cfg := server.Defaults()
	var admin string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the first administrator of a new database",
		Long: `Make the first administrator of a new database, with an API token and a join token. They are shown once.

Run it before "octopus server", on the same --data or --database.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.logged(&cfg, func() error { return a.bootstrap(cmd.Context(), cfg, admin, asJSON) })
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&admin, "admin", "admin", "name of the administrator")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	cfg.Logging.Level = "warn"
	a.bind(cmd, &cfg, "base", nil, "server.data", "database.url")
	return cmd
}

func (a *app) bootstrap(ctx context.Context, cfg server.Config, admin string, asJSON bool) error {
	cfg.Announce = func(string) {} // what setup would do is done here
	made, err := server.Bootstrap(ctx, cfg, admin)
	if err != nil {
		return err
	}
	if asJSON {
		a.flags.output = "json"
	}
	return a.print(made, func(t *tabwriter.Writer) {
		row(t, "User", made.Username)
		row(t, "Password", made.Password)
		row(t, "API token", made.APIToken)
		row(t, "Join token", made.JoinToken)
	})
}
