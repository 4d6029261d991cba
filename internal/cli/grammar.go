package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/internal/settings"
)

// group makes a command that only holds verbs, such as `octopus tasks`. Its singular is an alias, except where that
// is a command of its own.
func group(plural, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: plural, Short: short, Args: groupArgs, RunE: showHelp}
	if singular := strings.TrimSuffix(plural, "s"); singular != plural && singular != "agent" && singular != "run" && singular != "backup" {
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
		meant := cmp.Or(settings.Nearest(args[0], near), near[0])
		return usagef("%s has no command %q; did you mean %s %s?", cmd.CommandPath(), args[0], cmd.CommandPath(), meant)
	}
	return usagef("%s has no command %q.", cmd.CommandPath(), args[0])
}

// exactly wants these words, named as in the command's use line.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s is missing.", strings.Join(names[len(args):], " "))
		}
		if len(args) > len(names) {
			return usagef("%q is one word too many.", args[len(names)])
		}
		for i, name := range names {
			if err := word(cmd, name, args[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// atLeastOne wants one word or more, each a name.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s is missing.", name)
		}
		for _, arg := range args {
			if err := word(cmd, name, arg); err != nil {
				return err
			}
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

// kinds are the things that have ids: how a use line calls them, what their ids begin with, and their commands.
func kinds() []struct{ word, prefix, group string } {
	return []struct{ word, prefix, group string }{
		{"TASK", octopus.PrefixTask, "tasks"}, {"RUN", octopus.PrefixRun, "runs"}, {"EXECUTION", octopus.PrefixExecution, "executions"},
		{"AGENT", octopus.PrefixAgent, "agents"}, {"PLUGIN", octopus.PrefixPlugin, "plugins"}, {"USER", octopus.PrefixUser, "users"},
	}
}

// word refuses an empty word, such as a variable of a script that is not set, and the id of another thing.
func word(cmd *cobra.Command, name, arg string) error {
	if strings.TrimSpace(arg) == "" {
		return usagef("%s is empty.", name)
	}
	return sameKind(cmd, name, arg)
}

// sameKind refuses the id of another thing than the command is about, and names the command that takes it.
func sameKind(cmd *cobra.Command, word, arg string) error {
	all := kinds()
	if !slices.ContainsFunc(all, func(k struct{ word, prefix, group string }) bool { return k.word == word }) {
		return nil
	}
	for _, k := range all {
		if k.word == word || !octopus.ValidID(k.prefix, arg) {
			continue
		}
		hint := ""
		if other, _, err := cmd.Root().Find([]string{k.group, cmd.Name()}); err == nil && other.Name() == cmd.Name() {
			hint = "; did you mean " + other.CommandPath() + " " + arg + "?"
		}
		return usagef("%s is the id of %s, not of %s%s", arg, withArticle(k.word), withArticle(word), cmp.Or(hint, "."))
	}
	return nil
}

func withArticle(word string) string {
	word = strings.ToLower(word)
	if strings.ContainsAny(word[:1], "aeiou") {
		return "an " + word
	}
	return "a " + word
}
