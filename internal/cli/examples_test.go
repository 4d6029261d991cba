package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExamples types the examples of every command's help, as far as a line can be judged without a server: the command
// is there, its flags are known and take their values, and no word is missing or too many.
func TestExamples(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "octopus ")
		known[path] = true
		if c.Hidden || path == "help" || path == "completion" {
			return
		}
		if !c.HasSubCommands() && len(examples[path]) == 0 {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for i, line := range examples[path] {
			if typed := typeExample(t, line); i == 0 && typed != c.CommandPath() {
				t.Errorf("the first example of %s is one of %s", c.CommandPath(), typed)
			}
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk((&app{}).root())
	for path := range examples {
		if !known[path] {
			t.Errorf("there are examples of %q, which is no command", path)
		}
	}
}

// typeExample parses a line as the program would, and returns the path of its command.
func typeExample(t *testing.T, line string) string {
	t.Helper()
	_, call, found := strings.Cut(line, "octopus ")
	if !found {
		t.Fatalf("%q calls no octopus", line)
	}
	call, _, _ = strings.Cut(call, " < ")
	cmd, rest, err := (&app{}).root().Find(typedWords(call))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	return cmd.CommandPath()
}

// typedWord is a word as a shell reads it, of which parts may stand in single quotes.
var typedWord = regexp.MustCompile(`(?:'[^']*'|[^\s'])+`)

func typedWords(line string) []string {
	words := typedWord.FindAllString(line, -1)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "'", "")
	}
	return words
}
