package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"octopus/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Which build this is",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			if a.flags.output != "table" {
				return a.print(map[string]string{
					"version": version.Version, "commit": version.Commit,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				}, nil)
			}
			_, err := fmt.Fprintln(a.Out, version.String())
			return err
		},
	}
}
