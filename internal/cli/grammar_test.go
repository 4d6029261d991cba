package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestUsage says what is wrong and what was meant, on standard error, with exit code 2.
func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown thing":  {[]string{"plugns"}, `octopus has no command "plugns"; did you mean octopus plugins?`},
		"unknown verb":   {[]string{"tasks", "lst"}, `octopus tasks has no command "lst"; did you mean octopus tasks list?`},
		"strange verb":   {[]string{"tasks", "xyzzy"}, `octopus tasks has no command "xyzzy".`},
		"agent list":     {[]string{"agent", "list"}, "octopus agent runs an agent; did you mean octopus agents list?"},
		"missing name":   {[]string{"tasks", "get"}, "TASK is missing."},
		"a word more":    {[]string{"runs", "get", "run_1", "run_2"}, `"run_2" is one word too many.`},
		"unknown flag":   {[]string{"run", "x", "--nope"}, "has no flag --nope"},
		"unknown format": {[]string{"version", "-o", "xml"}, `--output is "xml", but must be one of table, json, yaml.`},
		"no such log":    {[]string{"logs", "web", "--url", "http://127.0.0.1:1"}, `"web" is not the id of a run`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := command(t, "", c.args...)
			if got.code != ExitUsage || !strings.Contains(got.err, c.want) || got.out != "" {
				t.Errorf("exit code %d, standard output %q, standard error:\n%s\nwant exit code 2 and %q", got.code, got.out, got.err, c.want)
			}
			if !strings.Contains(got.err, "--help") {
				t.Errorf("no hint at --help in:\n%s", got.err)
			}
		})
	}
}

// TestTree walks all commands: each has a sentence, and its name is not hidden by a sibling's alias.
func TestTree(t *testing.T) {
	t.Parallel()
	root := (&app{}).root()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		words := map[string]string{}
		for _, child := range c.Commands() {
			if child.Short == "" {
				t.Errorf("%s has no sentence", child.CommandPath())
			}
			if strings.HasSuffix(child.Short, ".") {
				t.Errorf("%s: %q ends with a full stop", child.CommandPath(), child.Short)
			}
			for _, word := range append(child.Aliases, child.Name()) {
				if other, taken := words[word]; taken {
					t.Errorf("%s %s means both %s and %s", c.CommandPath(), word, other, child.Name())
				}
				words[word] = child.Name()
			}
			walk(child)
		}
	}
	walk(root)
	for _, words := range []string{"task list", "agents tokens create", "executions close", "plugins grant", "run", "logs", "cache clear"} {
		if c, rest, err := root.Find(strings.Fields(words)); err != nil || len(rest) > 0 {
			t.Errorf("octopus %s: found %s with %q left, error %v", words, c.CommandPath(), rest, err)
		}
	}
}
