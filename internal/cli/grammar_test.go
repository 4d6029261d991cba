package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"octopus/server"
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
		"unknown ring":   {[]string{"plugins", "ring", "hello", "1.0.0", "foo", "--url", "http://127.0.0.1:1"}, `RING is "foo", but must be one of canary, early, all.`},
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

// TestListOfMissing names the list of what is not there, where the server's sentence has no advice of its own.
func TestListOfMissing(t *testing.T) {
	t.Parallel()
	for sentence, want := range map[string]string{
		`There is no task "x".`:                                           "octopus tasks list",
		`There is no execution "exe_1".`:                                  "octopus executions list",
		`There is no plugin named "htpp-check"; did you mean http-check?`: "",
		`There is no agent called x. See octopus agents list.`:            "",
		`There is no submission "sub_1".`:                                 "",
		`hello has no version 2.0.0; there is: 1.0.0.`:                    "",
	} {
		if got := listOfMissing((&app{}).root(), sentence); got != want {
			t.Errorf("%s: %q, want %q", sentence, got, want)
		}
	}
}

// TestFillIsAlone refuses a database on which a server works.
func TestFillIsAlone(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	release, err := server.Hold(filepath.Join(data, "octopus.db"))
	if err != nil {
		t.Fatal(err)
	}
	got := command(t, "", "bench", "fill", "-n", "10", "--data", data)
	if got.code != ExitFailed || !strings.Contains(got.err, "Another Octopus server works on") {
		t.Errorf("exit code %d, %s", got.code, got.err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "", "bench", "fill", "-n", "10", "--agents", "2", "--tasks", "2", "--data", data); got.code != ExitOK {
		t.Errorf("once it is free: exit code %d, %s", got.code, got.err)
	}
}
