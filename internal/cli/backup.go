package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server"
	"octopus/server/backup"
)

// backupCommand is `octopus backup`: of a server that runs, or of the folder of one that does not.
func (a *app) backupCommand() *cobra.Command {
	cfg := server.Config{Log: a.quietLog()}
	var keep bool
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Make a backup of the server's database",
		Long: `Make a backup of the server's SQLite database: FILE, and FILE.json with its size and SHA-256.

The server goes on meanwhile. Without FILE the backup stays in the server's backup folder. With --data or
--database it is made of a server that is stopped, on this machine. PostgreSQL has tools of its own: pg_dump.

A backup holds password hashes: keep it as safe as the server. The keys in secrets.key and signing.key are not in it:
keep copies of both in another place.`,
		Args: atMostOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cfg.Data == "" && cfg.Database == "" {
				return a.backupOnline(cmd.Context(), args, keep)
			}
			if len(args) == 0 {
				return usagef("FILE is missing: where to put the backup.")
			}
			m, err := server.Backup(cmd.Context(), cfg, args[0], a.progress("Backup"))
			if err != nil {
				return err
			}
			return a.backedUp(args[0], m)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&cfg.Data, "data", "", "folder of a server that is stopped, instead of asking one that runs")
	fs.StringVar(&cfg.Database, "database", "", "SQLite file of a server that is stopped")
	fs.BoolVar(&keep, "keep", false, "leave the server its own copy after FILE was downloaded")
	return cmd
}

func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return exactly(name)(cmd, args)
		}
		return nil
	}
}

// backedUp prints what was made.
func (a *app) backedUp(file string, m backup.Manifest) error {
	return a.print(m, func(t *tabwriter.Writer) {
		row(t, "Backup", file)
		row(t, "Of", stamp(m.CreatedAt))
		row(t, "Size", fmt.Sprintf("%d bytes", m.Bytes))
		row(t, "SHA-256", m.SHA256)
	})
}

// progress shows how far something is, on a terminal only.
func (a *app) progress(what string) backup.Progress {
	if !isTerminal(a.Err) {
		return nil
	}
	shown := -1
	return func(f float64) {
		if percent := int(f * 100); percent != shown {
			shown = percent
			fmt.Fprintf(a.Err, "\r%s: %3d %%", what, percent)
			if percent == 100 {
				fmt.Fprintln(a.Err)
			}
		}
	}
}

// pollEvery is how often a backup is looked after.
const pollEvery = 200 * time.Millisecond

func (a *app) backupOnline(ctx context.Context, args []string, keep bool) error {
	if len(args) > 0 {
		if err := backup.Free(args[0]); err != nil {
			return err
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	b, err := c.CreateBackup(ctx)
	if err != nil {
		return err
	}
	if b, err = a.awaitBackup(ctx, c, b); err != nil {
		return err
	}
	if len(args) == 0 {
		return a.print(b, func(t *tabwriter.Writer) { showBackup(t, b) })
	}
	m, err := a.download(ctx, c, b, args[0])
	if err != nil {
		return err
	}
	if !keep {
		if err := c.DeleteBackup(ctx, b.Name); err != nil {
			fmt.Fprintf(a.Err, "The server keeps its own copy: %s\n", octopus.Sentence(err))
		}
	}
	return a.backedUp(args[0], m)
}

func (a *app) awaitBackup(ctx context.Context, c *sdk.Client, b sdk.Backup) (sdk.Backup, error) {
	told := a.progress("Backup")
	for tick := time.NewTicker(pollEvery); b.State == string(backup.Running); {
		select {
		case <-ctx.Done():
			tick.Stop()
			return b, ctx.Err()
		case <-tick.C:
		}
		var err error
		if b, err = c.Backup(ctx, b.Name); err != nil {
			return b, err
		}
		if told != nil {
			told(b.Fraction)
		}
	}
	if b.State == string(backup.Failed) {
		return b, octopus.Errorf(octopus.CodeUnavailable, "The backup failed: %s", b.Error)
	}
	return b, nil
}

// download saves a backup of the server, and checks that it arrived whole.
func (a *app) download(ctx context.Context, c *sdk.Client, b sdk.Backup, file string) (backup.Manifest, error) {
	body, err := c.DownloadBackup(ctx, b.Name)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer body.Close()
	m := backup.Manifest{
		Format: b.Format, CreatedAt: b.CreatedAt, Version: b.Version, SchemaVersion: b.SchemaVersion, Generation: b.Generation,
		Bytes: b.SizeBytes, SHA256: b.SHA256,
	}
	return m, backup.Save(ctx, body, m, file, a.progress("Download"))
}

// backupsCommands are the verbs of `octopus backups`.
func (a *app) backupsCommands() []*cobra.Command {
	return []*cobra.Command{
		a.online("list", "List the backups on the server", exactly(), func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Backups(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, backupTable)
		}),
		a.online("get BACKUP", "Show one backup", exactly("BACKUP"), func(ctx context.Context, c *sdk.Client, args []string) error {
			b, err := c.Backup(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(b, func(t *tabwriter.Writer) { showBackup(t, b) })
		}),
		a.online("download BACKUP FILE", "Save a backup, with its manifest", exactly("BACKUP", "FILE"),
			func(ctx context.Context, c *sdk.Client, args []string) error {
				b, err := c.Backup(ctx, args[0])
				if err != nil {
					return err
				}
				m, err := a.download(ctx, c, b, args[1])
				if err != nil {
					return err
				}
				return a.backedUp(args[1], m)
			}),
		a.online("remove BACKUP", "Remove a backup from the server", exactly("BACKUP"),
			func(ctx context.Context, c *sdk.Client, args []string) error { return c.DeleteBackup(ctx, args[0]) }),
	}
}

func backupTable(t io.Writer, list []sdk.Backup) {
	row(t, "BACKUP", "STATE", "OF", "BYTES")
	for _, b := range list {
		row(t, b.Name, b.State, stamp(b.CreatedAt), b.SizeBytes)
	}
}

func showBackup(t io.Writer, b sdk.Backup) {
	row(t, "Backup", b.Name)
	row(t, "State", b.State)
	row(t, "Of", stamp(b.CreatedAt))
	row(t, "Size", fmt.Sprintf("%d bytes", b.SizeBytes))
	row(t, "SHA-256", dash(b.SHA256))
	if b.Error != "" {
		row(t, "Error", b.Error)
	}
}
