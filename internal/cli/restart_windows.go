package cli

// restart ends the process with an error, so that the service manager starts it again: Windows cannot replace a
// running process.
func restart() error { return exitError{code: ExitFailed} }
