package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// listFlags are --limit and --cursor.
type listFlags struct{ sdk.List }

func (l *listFlags) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&l.Limit, "limit", 50, "how many at most, up to 500")
	cmd.Flags().StringVar(&l.Cursor, "cursor", "", "go on after a page: its next_cursor")
	checkLimit(cmd, &l.Limit)
}

// checkLimit refuses a --limit below 1, which the client would leave out.
func checkLimit(cmd *cobra.Command, limit *int) {
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if cmd.Flags().Changed("limit") && *limit < 1 {
			return usagef("--limit is %d, but must be a whole number from 1 to 500.", *limit)
		}
		return nil
	}
}

// printPage prints one page; where there is more it says how to go on.
func printPage[T any](a *app, page sdk.Page[T], table func(io.Writer, []T)) error {
	if page.Items == nil {
		page.Items = []T{}
	}
	err := a.print(page, func(t *tabwriter.Writer) { table(t, page.Items) })
	if err == nil && page.NextCursor != "" && a.flags.output == "table" {
		fmt.Fprintf(a.Err, "There are more: --cursor %s\n", page.NextCursor)
	}
	return err
}

// sinceTime reads --since: a duration back from now such as 24h, or a time in RFC 3339.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, usagef("--since is %q, but must be like 24h, or a time like 2026-01-31T08:00:00Z.", text)
}
