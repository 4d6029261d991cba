package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// group makes a command that only holds verbs, such as `octopus tasks`. Its singular is an alias, except where that
// is a command of its own.
func group(plural, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: plural, Short: short, Args: groupArgs, RunE: showHelp}
	if singular := strings.TrimSuffix(plural, "s"); singular != plural && singular != "agent" && singular != "run" {
		c.Aliases = []string{singular}
	}
	c.AddCommand(verbs...)
	return c
}

// groupArgs refuses a word that is no verb, and names what was probably meant.
func groupArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("%s has no command %q; did you mean %s %s?", cmd.CommandPath(), args[0], cmd.CommandPath(), near[0])
	}
	return usagef("%s has no command %q.", cmd.CommandPath(), args[0])
}

// exactly wants these words, named as in the command's use line.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s is missing.", strings.Join(names[len(args):], " "))
		}
		if len(args) > len(names) {
			return usagef("%q is one word too many.", args[len(names)])
		}
		return nil
	}
}

// atLeastOne wants one word or more, each a name.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s is missing.", name)
		}
		return nil
	}
}

// oneOf checks a flag whose values are words.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usagef("--%s is %q, but must be one of %s.", flag, value, strings.Join(allowed, ", "))
}
