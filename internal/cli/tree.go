package cli

import "github.com/spf13/cobra"

// everyday lists the verbs at the top.
func (a *app) everyday() []*cobra.Command {
	return []*cobra.Command{a.versionCommand()}
}

// things lists the groups of verbs, one for each kind of thing.
func (a *app) things() []*cobra.Command {
	return []*cobra.Command{
		group("plugins", "What can be run", a.localPluginCommands()...),
	}
}
