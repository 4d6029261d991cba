package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"octopus/agent"
	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/server"
)

// devCommand is `octopus dev`.
func (a *app) devCommand() *cobra.Command {
	cfg := server.Defaults()
	var asJSON bool
	var b *bound
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "A server, an agent and the built-in plugins on this machine, to try things out",
		Long: `Run a server with SQLite, one local agent and the built-in plugins, granted what they ask for.

It prints a URL that signs you in with one button, and writes the context "dev", so that every
command started in this folder talks to it. Ctrl-C stops everything; starting again finds everything.

Without --listen it takes port 8080, or the next one that is free.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			anywhere := b.set.Lookup("server.listen").Origin().Layer == "default"
			return a.logged(&cfg, func() error { return a.dev(cmd.Context(), cfg, anywhere, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON line with the URLs and tokens first")
	environment(cmd.Flags(), "json")
	b = a.bind(cmd, &cfg, "dev", func() error { return cfg.Validate() })
	return cmd
}

// dev runs server and agent in one process until ctx is done, and stops the agent first. anywhere: nobody said where
// to listen.
func (a *app) dev(ctx context.Context, cfg server.Config, anywhere, asJSON bool) (err error) {
	release, err := lockDev(cfg.Data)
	if err != nil {
		return err
	}
	defer release()
	if anywhere {
		cfg.Listener = freeListener(ctx)
	}
	cfg.Announce = func(string) {} // the dev user exists before anybody asks
	srv, err := server.New(ctx, cfg)
	if err != nil {
		if cfg.Listener != nil {
			cfg.Listener.Close() //nolint:errcheck // New may have closed it
		}
		return err
	}
	access, err := srv.PrepareDev(ctx)
	if err == nil {
		err = WriteDevContext(cfg.Data, Context{URL: access.URL, APIToken: access.APIToken, CAFile: cfg.TLSCert})
	}
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	a.banner(access, cfg.Data, asJSON)

	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(a.Err, "\nStopping: what runs here is given a few seconds to end. Ctrl-C again stops at once.")
	})()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error {
		defer stopServing()
		return runLocalAgent(ctx, serving, cfg, access, filepath.Join(cfg.Data, "agent"))
	})
	g.Go(func() error { return srv.Run(serving) })
	err = g.Wait()
	stopServing()
	return err
}

// lockDev keeps a second octopus dev off a data folder: it would replace the tokens of the first, and then fail.
func lockDev(data string) (release func(), err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied, "The data folder %s cannot be made: %v. Choose another with --data.", data, errors.Unwrap(err))
	}
	lock := flock.New(filepath.Join(data, "dev.lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied, "The data folder %s cannot be locked: %v. Choose another with --data.", data, err)
	}
	if !held {
		return nil, octopus.Errorf(octopus.CodeConflict, "octopus dev already runs with the data folder %s. Stop it first, or pass another folder with --data.", data)
	}
	return func() { lock.Close() }, nil //nolint:errcheck // the process ends
}

// runLocalAgent runs the agent of `octopus dev` until ctx is done or the server has ended.
func runLocalAgent(ctx, serving context.Context, cfg server.Config, access server.DevAccess, data string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(serving, cancel)()
	local, err := agent.New(agent.Config{
		Server: access.URL, Token: access.JoinToken, Data: data, CAFile: cfg.TLSCert,
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

// freeListener listens on port 8080 of loopback, or on the next one that nobody has. nil: it found none.
func freeListener(ctx context.Context) net.Listener {
	var lc net.ListenConfig
	for port := 8080; port < 8180; port++ {
		if ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return ln
		}
	}
	return nil
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
