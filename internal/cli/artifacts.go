package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

func (a *app) executionsArtifacts() *cobra.Command {
	return a.online("artifacts EXECUTION", "List the files that an execution left behind", exactly("EXECUTION"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			page, err := c.Artifacts(ctx, args[0])
			if err != nil {
				return err
			}
			return printPage(a, page, artifactTable)
		})
}

func artifactTable(t io.Writer, list []sdk.Artifact) {
	row(t, "ARTIFACT", "ATTEMPT", "TYPE", "BYTES", "CREATED")
	for _, f := range list {
		row(t, f.Name, f.Attempt, f.MediaType, f.Size, stamp(f.CreatedAt))
	}
}
