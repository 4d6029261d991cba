package cli

import "github.com/spf13/cobra"

// localPluginCommands are the author's verbs of `octopus plugins`: they need no server. (The plugins engineer fills
// this in.)
func (a *app) localPluginCommands() []*cobra.Command { return nil }
