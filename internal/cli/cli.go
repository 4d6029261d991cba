// Package cli is the command line: it turns words into calls of the server's API, of package server and of package
// agent, and what comes of them into a table, JSON and an exit code.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"octopus/internal/version"
)

// Streams are where a command reads and writes. Results go to Out, everything else to Err.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Main runs one command and returns its exit code (see the Exit constants). Cancelling ctx means Ctrl-C: a server
// or an agent stops cleanly and Main returns 0, a command that waits for something returns 130.
func Main(ctx context.Context, args []string, s Streams) int {
	a := &app{Streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		a.complain(cmd, err)
	}
	return exitCode(err)
}

// app is one call of the program.
type app struct {
	Streams
	flags  globals
	bounds map[*cobra.Command]*bound // the commands that have settings
}

// globals are the flags that every command has.
type globals struct {
	context  string
	url      string
	apiToken string
	output   string
}

// The groups of `octopus help`.
const (
	groupEveryday = "everyday"
	groupThings   = "things"
	groupProcess  = "processes"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "octopus",
		Short:         "Run tasks on machines you cannot reach",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          groupArgs,
		RunE:          a.showVersionOrHelp,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.settle(cmd); err != nil {
				return err
			}
			return oneOf("output", a.flags.output, "table", "json", "yaml")
		},
	}
	// A flag of ours: cobra's own goes through text/template, which calls methods by name, and then the linker keeps
	// every exported method of every type, a sixteenth of the program.
	root.Flags().BoolP("version", "v", false, "version for octopus")
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: groupEveryday, Title: "Everyday:"},
		&cobra.Group{ID: groupThings, Title: "Things (list, get, …):"},
		&cobra.Group{ID: groupProcess, Title: "Processes:"},
	)
	a.globalFlags(root)
	add(root, groupEveryday, a.everyday()...)
	add(root, groupThings, a.things()...)
	add(root, groupProcess, a.devCommand(), a.serverCommand(), a.agentCommand(), a.configCommand(), runnerCommand(), a.referenceCommand())
	root.InitDefaultCompletionCmd()
	giveExamples(root)
	return root
}

const rootHelp = `Octopus runs tasks on machines you cannot reach.

  octopus dev                          a server, an agent and the built-in plugins on this machine
  octopus run http-check --param url=https://example.com --follow
  octopus agents list

Commands talk to the server of the current context: see "octopus context --help".`

func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.flags.context, "context", "", "context to use: a name, or a data folder of octopus dev")
	f.StringVar(&a.flags.url, "url", "", "address of the server, instead of the context's")
	f.StringVar(&a.flags.apiToken, "api-token", "", "API token (oct_…), instead of the context's")
	f.StringVarP(&a.flags.output, "output", "o", "table", "table, json or yaml")
	environment(f, "context", "url", "api-token", "output")
}

// add puts commands into a group of their parent's help.
func add(parent *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		parent.AddCommand(c)
	}
}

func (a *app) showVersionOrHelp(cmd *cobra.Command, args []string) error {
	if asked, _ := cmd.Flags().GetBool("version"); asked {
		fmt.Fprintln(a.Out, version.String())
		return nil
	}
	return showHelp(cmd, args)
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
