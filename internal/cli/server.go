package cli

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"octopus/server"
)

// serverFlags are the flags of `octopus server`.
type serverFlags struct {
	listen, data, database, publicURL, tlsCert, tlsKey, dist string
	proxies                                                  []string
	lostAfter, retention                                     time.Duration
	grantBuiltins                                            bool
	logLevel, logFormat                                      string
}

// serverCommand is `octopus server`.
func (a *app) serverCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server",
		Long: `Run a server: the database, the dashboard, the REST API and the agents' end.

On the first start nobody can sign in: open the URL that it prints and type the one-time code
that it prints too, or run "octopus bootstrap" before.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(a.Err)
			if err != nil {
				return err
			}
			cfg.Announce = a.announceSetup
			srv, err := server.New(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "Octopus listens on %s and answers at %s\n", srv.Addr(), srv.URL())
			return srv.Run(cmd.Context())
		},
	}
	f.register(cmd)
	return withSettings(cmd, "server")
}

func (f *serverFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	fs.StringVar(&f.data, "data", "octopus-data", "folder for the SQLite file and everything else the server writes")
	fs.StringVar(&f.database, "database", "", "PostgreSQL URL or SQLite file (default octopus.db in the data folder)")
	fs.StringVar(&f.publicURL, "public-url", "", "how browsers and agents reach this server (default the listening address)")
	fs.StringVar(&f.tlsCert, "tls-cert", "", "PEM file with the TLS certificate chain")
	fs.StringVar(&f.tlsKey, "tls-key", "", "PEM file with its key")
	fs.StringSliceVar(&f.proxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed (default loopback)")
	fs.StringVar(&f.dist, "dist", "", `folder with the executables of "make dist", served to new agents (default dist beside the executable)`)
	fs.DurationVar(&f.lostAfter, "lost-after", 0, "silence after which a started execution is lost (default 15m)")
	fs.DurationVar(&f.retention, "retention", 30*24*time.Hour, "how long executions that have ended are kept")
	fs.BoolVar(&f.grantBuiltins, "grant-builtins", false, "grant the plugins that are shipped what they ask for")
	f.registerLog(cmd)
}

func (f *serverFlags) registerLog(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
}

func (f *serverFlags) config(logTo io.Writer) (server.Config, error) {
	log, err := newLogger(logTo, f.logLevel, f.logFormat)
	if err != nil {
		return server.Config{}, err
	}
	cfg := server.Config{
		Listen: f.listen, Data: f.data, Database: f.database, PublicURL: f.publicURL,
		TLSCert: f.tlsCert, TLSKey: f.tlsKey, Dist: f.dist, GrantBuiltins: f.grantBuiltins,
		LostAfter: f.lostAfter, Retention: f.retention, Log: log,
	}
	for _, p := range f.proxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return server.Config{}, usagef("--trusted-proxies: %q is not a network such as 10.0.0.0/8.", p)
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	return cfg, nil
}

// newLogger makes the log of a process.
func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level is %q, but must be one of debug, info, warn, error.", level)
	}
	if err := oneOf("log-format", format, "text", "json"); err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// announceSetup prints the one-time code of the first-run setup.
func (a *app) announceSetup(code string) {
	fmt.Fprintf(a.Err, "Nobody can sign in yet. Open the server's page and type this one-time setup code: %s\n", code)
}
