package cli

import "github.com/spf13/cobra"

// everyday lists the verbs at the top.
func (a *app) everyday() []*cobra.Command {
	return []*cobra.Command{
		a.runCommand(), a.logsCommand(), a.openCommand(), a.loginCommand(), a.contextCommand(),
		a.bootstrapCommand(), a.backupCommand(), a.restoreCommand(), a.benchCommand(), a.versionCommand(),
	}
}

// things lists the groups of verbs, one for each kind of thing.
func (a *app) things() []*cobra.Command {
	return []*cobra.Command{
		group("tasks", "Saved definitions of work", a.tasksCommands()...),
		group("runs", "Firings of tasks and ad-hoc work", a.runsCommands()...),
		group("executions", "Single agents' shares of runs", a.executionsCommands()...),
		group("agents", "Registered machines", a.agentsCommands()...),
		group("plugins", "What can be run, and what an author needs", a.pluginsCommands()...),
		group("users", "People who sign in", a.usersCommands()...),
		group("tokens", "Your API tokens", a.tokensCommands()...),
		group("secrets", "What plugins may use where a grant binds it", a.secretsCommands()...),
		group("params", "Your own parameters, by category, for plugins that may know them", a.paramsCommands()...),
		group("backups", "Backups on the server", a.backupsCommands()...),
		group("cache", "The server's cache", a.cacheCommands()...),
	}
}
