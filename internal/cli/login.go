package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// loginCommand is `octopus login`: it keeps a server and an API token as a context, and chooses it.
func (a *app) loginCommand() *cobra.Command {
	var name, caFile string
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Keep a server and your API token as a context, and use it",
		Long: `Keep a server and your API token as a context, and use it from now on.

Make the token on the server's page "API tokens". It is read from standard input, from --api-token or from
OCTOPUS_API_TOKEN, and checked before it is kept.`,
		Args: exactly("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := Context{URL: strings.TrimRight(args[0], "/"), APIToken: a.flags.apiToken, CAFile: caFile}
			client, err := newClient(c)
			if err != nil {
				return err
			}
			if c.APIToken == "" {
				if c.APIToken, err = a.askSecret("API token of " + c.URL + ": "); err != nil {
					return err
				}
				if client, err = newClient(c); err != nil {
					return err
				}
			}
			me, err := client.Me(cmd.Context())
			if err != nil {
				return err
			}
			if name == "" {
				name = contextName(c.URL)
			}
			return a.keep(name, c, me)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the context (default the host)")
	cmd.Flags().StringVar(&caFile, "ca-file", "", "PEM file with further authorities to trust for this server")
	return cmd
}

func (a *app) keep(name string, c Context, me sdk.Me) error {
	all, err := readContexts()
	if err != nil {
		return err
	}
	all.Contexts[name] = c
	all.Current = name
	if err := all.write(); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "You are %s (%s) at %s. This is the context %q.\n", me.Username, me.EffectiveRole, c.URL, name)
	return nil
}

// contextName is the host of a server.
func contextName(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	return u.Host
}

// askSecret reads one line. On a terminal it asks first, and what is typed is not shown.
func (a *app) askSecret(question string) (string, error) {
	if isTerminal(a.In) {
		fmt.Fprint(a.Err, question)
		defer hideTyping(a.In)()
		defer fmt.Fprintln(a.Err)
	}
	line, err := bufio.NewReader(io.LimitReader(a.In, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usagef("Nothing was given on standard input.")
	}
	return line, nil
}

// openCommand is `octopus open`.
func (a *app) openCommand() *cobra.Command {
	return a.online("open", "Make a fresh sign-in link and open it", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			link, err := c.LoginLink(ctx)
			if err != nil {
				return err
			}
			if a.flags.output != "table" {
				return a.print(link, nil)
			}
			fmt.Fprintln(a.Out, link.URL)
			if isTerminal(a.Out) {
				openBrowser(ctx, link.URL)
			}
			return nil
		})
}

// openBrowser tries; the link was printed anyway.
func openBrowser(ctx context.Context, address string) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		cmd = exec.CommandContext(ctx, "open", address)
	case "windows":
		cmd = exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", address)
	default:
		cmd = exec.CommandContext(ctx, "xdg-open", address)
	}
	_ = cmd.Run() // no browser here: people paste the link
}
