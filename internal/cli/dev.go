package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"octopus/agent"
	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/server"
)

// devCommand is `octopus dev`.
func (a *app) devCommand() *cobra.Command {
	var f serverFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "A server, an agent and the built-in plugins on this machine, to try things out",
		Long: `Run a server with SQLite, one local agent and the built-in plugins, granted what they ask for.

It prints a URL that signs you in with one button, and writes the context "dev", so that every
command started in this folder talks to it. Ctrl-C stops everything; starting again finds everything.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("listen") {
				f.listen = freeAddress()
			}
			return a.dev(cmd.Context(), f, asJSON)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080", "address to listen on (default 8080 or the next free port)")
	fs.StringVar(&f.data, "data", "octopus-data", "folder for everything")
	fs.StringVar(&f.dist, "dist", "", `folder with the executables of "make dist"`)
	fs.BoolVar(&asJSON, "json", false, "print one JSON line with the URLs and tokens first")
	f.registerLog(cmd)
	cmd.Flags().Lookup("log-level").DefValue = "warn"
	f.logLevel = "warn"
	return withSettings(cmd, "dev")
}

// dev runs server and agent in one process until ctx is done, and stops the agent first.
func (a *app) dev(ctx context.Context, f serverFlags, asJSON bool) error {
	cfg, err := f.config(a.Err)
	if err != nil {
		return err
	}
	cfg.GrantBuiltins = true
	cfg.Announce = func(string) {} // the dev user exists before anybody asks
	agentData := filepath.Join(cfg.Data, "agent")
	if r, err := agent.Status(agentData); err == nil && r.Running {
		// A second one would replace the tokens of the first, and then fail.
		return octopus.Errorf(octopus.CodeConflict, "octopus dev already runs with the data folder %s. Stop it first, or pass another folder with --data.", cfg.Data)
	}
	srv, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	access, err := srv.PrepareDev(ctx)
	if err != nil {
		srv.Close()
		return err
	}
	if err := WriteDevContext(cfg.Data, Context{URL: access.URL, APIToken: access.APIToken}); err != nil {
		srv.Close()
		return err
	}
	a.banner(access, cfg.Data, asJSON)

	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(a.Err, "\nStopping: what runs here is given a few seconds to end. Ctrl-C again stops at once.")
	})()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error {
		defer stopServing()
		return runLocalAgent(ctx, serving, cfg, access, agentData)
	})
	g.Go(func() error { return srv.Run(serving) })
	err = g.Wait()
	stopServing()
	return err
}

// runLocalAgent runs the agent of `octopus dev` until ctx is done or the server has ended.
func runLocalAgent(ctx, serving context.Context, cfg server.Config, access server.DevAccess, data string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(serving, cancel)()
	local, err := agent.New(agent.Config{
		Server: access.URL, Token: access.JoinToken, Data: data,
		Log: cfg.Log.With("process", "agent"), Version: version.Version,
	})
	if err != nil {
		return err
	}
	if err := local.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// freeAddress is port 8080 on loopback, or the next one that nobody has.
func freeAddress() string {
	for port := 8080; port < 8180; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	return "127.0.0.1:0"
}

// banner tells how to get in. With asJSON its first line is for programs and the rest goes to standard error.
func (a *app) banner(access server.DevAccess, data string, asJSON bool) {
	out := a.Out
	if asJSON {
		line, err := json.Marshal(access)
		if err != nil {
			panic(err) // four texts always marshal
		}
		fmt.Fprintf(a.Out, "%s\n", line)
		out = a.Err
	}
	fmt.Fprintf(out, `
  Octopus is running. Open this page to sign in:

      %s

  In another terminal, from this folder:

      %[2]s run http-check --param url=%[3]s/healthz --follow%[4]s
      %[2]s runs list%[4]s
      %[2]s open%[4]s                      # another sign-in link

  Ctrl-C stops everything; starting again finds everything.

`, access.LoginURL, shellWord(ownCommand()), access.URL, contextFlag(data))
}

// contextFlag is what a command needs to find the server of a data folder: nothing beside the usual one.
func contextFlag(data string) string {
	if filepath.Clean(data) == devFolder {
		return ""
	}
	if !strings.ContainsAny(data, `/\`) {
		data = "." + string(filepath.Separator) + data // a bare word would be the name of a context
	}
	return " --context " + shellWord(data)
}

// shellWord quotes text for a shell where it needs it.
func shellWord(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(`_-./:\@%+,=`, c)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// ownCommand is how this program was called, so that what the banner prints works when pasted.
func ownCommand() string {
	name := os.Args[0]
	if !filepath.IsAbs(name) {
		return name
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, name); err == nil && filepath.IsLocal(rel) {
			return "." + string(filepath.Separator) + rel
		}
	}
	return name
}
