package cli

import (
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/server"
)

// bootstrapCommand is `octopus bootstrap`: the first administrator, without a browser.
func (a *app) bootstrapCommand() *cobra.Command {
	var f serverFlags
	var admin string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the first administrator of a new database",
		Long: `Make the first administrator of a new database, with an API token and a join token. They are shown once.

Run it before "octopus server", on the same --data or --database.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(a.Err)
			if err != nil {
				return err
			}
			cfg.Announce = func(string) {} // what setup would do is done here
			made, err := server.Bootstrap(cmd.Context(), cfg, admin)
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
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.data, "data", "octopus-data", "folder of the server")
	fs.StringVar(&f.database, "database", "", "PostgreSQL URL or SQLite file (default octopus.db in the data folder)")
	fs.StringVar(&admin, "admin", "admin", "name of the administrator")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	f.registerLog(cmd)
	withSettings(cmd, "server")
	cmd.Flags().Lookup("log-level").DefValue, f.logLevel = "warn", "warn"
	return cmd
}
