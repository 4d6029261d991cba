package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
)

// contextCommand is `octopus context`: which server the other commands talk to.
func (a *app) contextCommand() *cobra.Command {
	cmd := group("context", "Which server the commands talk to", a.contextList(), a.contextUse())
	cmd.Long = `Which server the commands talk to. In this order:

  --url, or OCTOPUS_URL               (with --api-token, or OCTOPUS_API_TOKEN)
  --context, or OCTOPUS_CONTEXT       a name, or the path of a data folder of octopus dev
  ./octopus-data/context.json         where octopus dev was started in this folder: the context "dev"
  the context that "octopus context use" chose, or that "octopus login" made

Contexts are kept in a file that only you can read: octopus/contexts.json in the user's configuration folder,
or what OCTOPUS_CONTEXTS names.`
	return cmd
}

// listedContext is a line of `context list`. It carries no token.
type listedContext struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Current bool   `json:"current"`
}

func (a *app) contextList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the contexts; * marks the one in use",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			all, err := readContexts()
			if err != nil {
				return err
			}
			current, used, err := a.currentContext()
			if err != nil {
				current = "" // none in use: the list is still a list
			}
			list := []listedContext{}
			if _, known := all.Contexts[current]; current != "" && !known {
				list = append(list, listedContext{Name: current, URL: used.URL, Current: true})
			}
			for _, name := range sortedKeys(all.Contexts) {
				list = append(list, listedContext{Name: name, URL: all.Contexts[name].URL, Current: name == current})
			}
			return a.print(list, func(t *tabwriter.Writer) {
				row(t, "", "NAME", "URL")
				for _, c := range list {
					mark := " "
					if c.Current {
						mark = "*"
					}
					row(t, mark, c.Name, c.URL)
				}
			})
		},
	}
}

func (a *app) contextUse() *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME",
		Short: "Choose the context that commands use from now on",
		Args:  exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := readContexts()
			if err != nil {
				return err
			}
			if _, ok := all.Contexts[args[0]]; !ok {
				return octopus.Errorf(octopus.CodeNotFound, "There is no context %q; octopus login URL makes one.", args[0])
			}
			all.Current = args[0]
			if err := all.write(); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "Commands now talk to %s.\n", all.Contexts[args[0]].URL)
			if c, err := devContext(devFolder); err == nil {
				fmt.Fprintf(a.Err, "In this folder they still talk to octopus dev at %s.\n", c.URL)
			}
			return nil
		},
	}
}
