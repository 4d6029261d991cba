package cli

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/agent"
	"octopus/internal/settings"
	"octopus/server"
)

// configCommand is `octopus config`: what a process would start with, without starting it.
func (a *app) configCommand() *cobra.Command {
	show := a.forProcesses("show", "Show every setting and where it comes from; secrets are masked", a.showConfig)
	check := a.forProcesses("check", "Say all that is wrong with the settings", a.checkConfig)
	return group("config", "Settings of a process: what counts, and what is wrong", show, check)
}

// forProcesses makes a verb for the server's settings, with variants for the other processes below it. They take the
// flags of the process, so that its command line can be tried as it is.
func (a *app) forProcesses(verb, short string, do func(b *bound, check func() error) error) *cobra.Command {
	process := func(use, of, standard string, into settings.Helper, check func() error) *cobra.Command {
		var b *bound
		c := &cobra.Command{Use: use, Short: short + ", of octopus " + of, Args: groupArgs,
			RunE: func(*cobra.Command, []string) error { return do(b, check) }}
		b = a.bind(c, into, standard, nil)
		delete(a.bounds, c) // do resolves them: what is wrong is its business
		return c
	}
	s, d, g := server.Defaults(), server.Defaults(), agent.Defaults()
	c := process(verb, "server", "base", &s, func() error { return s.Validate() })
	c.AddCommand(
		process("server", "server", "base", &s, func() error { return s.Validate() }),
		process("dev", "dev", "dev", &d, func() error { return d.Validate() }),
		process("agent", "agent", "base", &g, func() error { return g.Validate() }),
	)
	return c
}

// shownSetting is a line of `config show`.
type shownSetting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (a *app) showConfig(b *bound, check func() error) error {
	err := settings.Join(b.resolve(), check())
	list := []shownSetting{{"profile", b.profile, ""}}
	for _, x := range b.set.All() {
		list = append(list, shownSetting{x.Key, x.Shown(), x.Origin().String()})
	}
	if printErr := a.print(list, func(t *tabwriter.Writer) {
		row(t, "KEY", "VALUE", "FROM")
		row(t, "profile", b.profile, "")
		for _, x := range b.set.All() {
			row(t, x.Key, cmp.Or(x.Shown(), inWords(x.Default)), x.Origin())
		}
	}); printErr != nil {
		return printErr
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

// inWords is the default of a setting that has no value of its own.
func inWords(standard string) string {
	if standard == "" || standard == "none" {
		return dash("")
	}
	return "(" + standard + ")"
}

func (a *app) checkConfig(b *bound, check func() error) error {
	if err := settings.Join(b.resolve(), check()); err != nil {
		return usageError{err}
	}
	for _, line := range a.strayVariables() {
		fmt.Fprintln(a.Err, line)
	}
	fmt.Fprintf(a.Out, "The settings are right (profile %s).\n", b.profile)
	return nil
}

// strayVariables tells of OCTOPUS_… variables that nothing reads and that look like one that something does.
func (a *app) strayVariables() []string {
	s, g := server.Config{}, agent.Config{}
	known := []string{"OCTOPUS_CONFIG", "OCTOPUS_PROFILE", "OCTOPUS_CONTEXT", "OCTOPUS_CONTEXTS", "OCTOPUS_URL", "OCTOPUS_API_TOKEN", "OCTOPUS_OUTPUT", "OCTOPUS_JSON"}
	for _, x := range append(settings.New(&s).All(), settings.New(&g).All()...) {
		known = append(known, x.Variable())
	}
	var lines []string
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "OCTOPUS_") || slices.Contains(known, name) {
			continue
		}
		if near := settings.Nearest(name, known); near != "" {
			lines = append(lines, fmt.Sprintf("Nothing reads %s; did you mean %s?", name, near))
		}
	}
	return lines
}
