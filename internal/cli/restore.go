package cli

import (
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/server"
	"octopus/server/backup"
)

// quietLog tells of what goes wrong, and nothing else.
func (a *app) quietLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelError}))
}

// restoreCommand is `octopus restore`.
func (a *app) restoreCommand() *cobra.Command {
	cfg := server.Defaults()
	var r backup.Restore
	var inPlace bool
	var madeAt string
	cmd := &cobra.Command{
		Use:   "restore [BACKUP]",
		Short: "Put a backup back into the folder of a stopped server",
		Long: `Put a backup of "octopus backup" back into the folder of a server that is stopped.

The backup is checked before anything is touched, and the database that was there is kept beside it. Agents come
back by themselves. What waited when the backup was made ends as lost, because it may have run since; actions that
may be repeated (idempotent, with on_lost retry) wait again. --requeue lets all of it wait again: only where
nothing ran since the backup was made.

--in-place marks a database that was put back by other means, such as pg_restore or a snapshot of the disk. It must
be done before a server starts on it, or results of what ran since could be taken for those of something else.`,
		Args: atMostOne("BACKUP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.Log = a.quietLog()
			if inPlace {
				at, err := time.Parse(time.RFC3339, madeAt)
				if len(args) > 0 || err != nil {
					return usagef("--in-place needs no BACKUP, but --made-at with a time like 2026-11-22T08:00:00Z: when was the database as it is now?")
				}
				done, err := server.RestoreInPlace(cmd.Context(), cfg, at, r.Requeue)
				if err != nil {
					return err
				}
				return a.restored(done)
			}
			if len(args) == 0 {
				return usagef("BACKUP is missing.")
			}
			r.Backup, r.Told = args[0], a.progress("Restore")
			done, err := server.Restore(cmd.Context(), cfg, r)
			if err != nil {
				return err
			}
			return a.restored(done)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&r.Requeue, "requeue", false, "nothing ran since the backup: what waited then waits again")
	fs.BoolVar(&r.NoManifest, "no-manifest", false, "take a copy that was made by other means, after a check of all of it")
	fs.BoolVar(&inPlace, "in-place", false, "the database was put back by other means already; only mark it")
	fs.StringVar(&madeAt, "made-at", "", "with --in-place: when the database was as it is now")
	a.bind(cmd, &cfg, "base", nil, "server.data", "database.url")
	return cmd
}

func (a *app) restored(done backup.Restored) error {
	return a.print(done, func(t *tabwriter.Writer) {
		row(t, "Database", done.Database)
		row(t, "As of", stamp(done.BackupAt))
		row(t, "Before it", dash(done.Aside))
		row(t, "Next", "Start the server. Check users, tokens and agents that were revoked since.")
	})
}
