package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"octopus/server"
)

// serverCommand is `octopus server`.
func (a *app) serverCommand() *cobra.Command {
	cfg := server.Defaults()
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server",
		Long: `Run a server: the database, the dashboard, the REST API and the agents' end.

On the first start nobody can sign in: open the URL that it prints and type the one-time code
that it prints too, or run "octopus bootstrap" before.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.logged(&cfg, func() error { return a.serve(cmd, cfg) })
		},
	}
	a.bind(cmd, &cfg, "base", func() error { return cfg.Validate() })
	return cmd
}

func (a *app) serve(cmd *cobra.Command, cfg server.Config) error {
	cfg.Announce = a.announceSetup
	srv, err := server.New(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Octopus listens on %s and answers at %s\n", srv.Addr(), srv.URL())
	return srv.Run(cmd.Context())
}

// logged opens the server's log while do runs.
func (a *app) logged(cfg *server.Config, do func() error) (err error) {
	log, end, err := cfg.Logging.Open(a.Err)
	if err != nil {
		return usageError{err}
	}
	defer func() {
		if closeErr := end(); err == nil && closeErr != nil {
			err = fmt.Errorf("log file: %w", closeErr)
		}
	}()
	cfg.Log = log
	return do()
}

// announceSetup prints the one-time code of the first-run setup.
func (a *app) announceSetup(code string) {
	fmt.Fprintf(a.Err, "Nobody can sign in yet. Open the server's page and type this one-time setup code: %s\n", code)
}
