package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// usersCommands are the verbs of `octopus users`.
func (a *app) usersCommands() []*cobra.Command {
	return []*cobra.Command{a.usersList(), a.usersGet(), a.usersCreate(), a.usersEdit(), a.usersPassword(), a.usersDelete()}
}

func (a *app) usersList() *cobra.Command {
	return a.online("list", "List users", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Users(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, userTable)
		})
}

func (a *app) usersGet() *cobra.Command {
	return a.online("get USER", "Show a user", exactly("USER"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			u, err := c.User(ctx, args[0])
			if err != nil {
				return err
			}
			return a.printUser(u)
		})
}

func (a *app) printUser(u sdk.User) error {
	return a.print(u, func(t *tabwriter.Writer) { userTable(t, []sdk.User{u}) })
}

func (a *app) usersCreate() *cobra.Command {
	n := sdk.NewUser{}
	cmd := a.online("create NAME", "Make a user; the password is read from standard input", exactly("NAME"),
		func(ctx context.Context, c *sdk.Client, args []string) (err error) {
			if err := oneOf("role", n.Role, roles()...); err != nil {
				return err
			}
			n.Username = args[0]
			if n.Password, err = a.askSecret("Password: "); err != nil {
				return err
			}
			u, err := c.CreateUser(ctx, n)
			if err != nil {
				return err
			}
			return a.printUser(u)
		})
	fs := cmd.Flags()
	fs.StringVar(&n.Role, "role", "viewer", "viewer, user, operator or admin")
	fs.StringVar(&n.Email, "email", "", "e-mail address")
	fs.StringVar(&n.DisplayName, "display-name", "", "name to show")
	return cmd
}

// roles are those that a user may have.
func roles() []string {
	words := make([]string, len(octopus.Roles))
	for i, r := range octopus.Roles {
		words[i] = string(r)
	}
	return words
}

func (a *app) usersEdit() *cobra.Command {
	var role, email, name, zone string
	var active bool
	var cmd *cobra.Command
	cmd = a.online("edit USER", "Change what the flags name of a user", exactly("USER"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			p := sdk.UserPatch{}
			fs, given := cmd.Flags(), 0
			for flag, set := range map[string]func(){
				"role":         func() { p.Role = &role },
				"email":        func() { p.Email = &email },
				"display-name": func() { p.DisplayName = &name },
				"zone":         func() { p.Zone = &zone },
				"active":       func() { p.Active = &active },
			} {
				if fs.Changed(flag) {
					set()
					given++
				}
			}
			if given == 0 {
				return usagef("Nothing was named to change.")
			}
			if p.Role != nil {
				if err := oneOf("role", role, roles()...); err != nil {
					return err
				}
			}
			u, err := c.UpdateUser(ctx, args[0], p)
			if err != nil {
				return err
			}
			return a.printUser(u)
		})
	fs := cmd.Flags()
	fs.StringVar(&role, "role", "", "viewer, user, operator or admin")
	fs.StringVar(&email, "email", "", "e-mail address")
	fs.StringVar(&name, "display-name", "", "name to show")
	fs.StringVar(&zone, "zone", "", "time zone such as Europe/Berlin")
	fs.BoolVar(&active, "active", true, "may sign in; --active=false shuts the user out")
	return cmd
}

func (a *app) usersPassword() *cobra.Command {
	return a.online("password USER", "Set a user's password; it is read from standard input", exactly("USER"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			password, err := a.askSecret("New password: ")
			if err != nil {
				return err
			}
			if _, err := c.UpdateUser(ctx, args[0], sdk.UserPatch{Password: &password}); err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%s: changed\n", args[0])
			return nil
		})
}

func (a *app) usersDelete() *cobra.Command {
	return a.online("delete USER...", "Delete users with their sessions and tokens", atLeastOne("USER"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			return a.forEach(args, "deleted", func(name string) error { return c.DeleteUser(ctx, name) })
		})
}

// tokensCommands are the verbs of `octopus tokens`: one's own API tokens.
func (a *app) tokensCommands() []*cobra.Command {
	return []*cobra.Command{
		a.online("list", "List your API tokens", exactly(), func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Tokens(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, tokenTable)
		}),
		a.tokensCreate(),
		a.online("revoke TOKEN...", "End API tokens at once", atLeastOne("TOKEN"),
			func(ctx context.Context, c *sdk.Client, args []string) error {
				return a.forEach(args, "revoked", func(id string) error { return c.RevokeToken(ctx, id) })
			}),
	}
}

func (a *app) tokensCreate() *cobra.Command {
	n := sdk.NewToken{}
	var ttl time.Duration
	cmd := a.online("create", "Make an API token; it is shown once", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			if n.Role != "" {
				if err := oneOf("role", n.Role, roles()...); err != nil {
					return err
				}
			}
			n.TTLSeconds = ttl.Seconds()
			made, err := c.CreateToken(ctx, n)
			if err != nil {
				return err
			}
			if a.flags.output != "table" {
				return a.print(made, nil)
			}
			fmt.Fprintln(a.Out, made.Secret)
			fmt.Fprintln(a.Err, "It is shown only now.")
			return nil
		})
	fs := cmd.Flags()
	fs.StringVar(&n.Name, "name", "cli", "what it is for")
	fs.StringVar(&n.Role, "role", "", "at most your own (default your own)")
	fs.DurationVar(&ttl, "ttl", 0, "how long it is good (default for ever)")
	return cmd
}

// cacheCommands are the verbs of `octopus cache`.
func (a *app) cacheCommands() []*cobra.Command {
	return []*cobra.Command{
		a.online("list", "List the regions of the server's cache", exactly(), func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.CacheRegions(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, cacheTable)
		}),
		a.online("get REGION", "Show one region; broadcast and plugin data with their entries", exactly("REGION"),
			func(ctx context.Context, c *sdk.Client, args []string) error {
				r, err := c.CacheRegion(ctx, args[0])
				if err != nil {
					return err
				}
				return a.print(r, func(t *tabwriter.Writer) { showRegion(t, r) })
			}),
		a.online("clear REGION [KEY]", "Drop a region from memory, or delete one entry of broadcast or plugin data", regionAndKey,
			func(ctx context.Context, c *sdk.Client, args []string) (err error) {
				if len(args) == 2 {
					err = c.DeleteCacheEntry(ctx, args[0], args[1])
				} else {
					err = c.ClearCache(ctx, args[0])
				}
				if err == nil {
					fmt.Fprintf(a.Err, "%s: cleared\n", strings.Join(args, " "))
				}
				return err
			}),
	}
}

func regionAndKey(cmd *cobra.Command, args []string) error {
	if len(args) == 2 {
		return exactly("REGION", "KEY")(cmd, args)
	}
	return exactly("REGION")(cmd, args)
}

func showRegion(t io.Writer, r sdk.CacheRegion) {
	cacheTable(t, []sdk.CacheRegion{r})
	if len(r.Entries) == 0 {
		return
	}
	row(t)
	now := time.Now()
	row(t, "KEY", "EXPIRES", "VALUE")
	for _, e := range r.Entries {
		row(t, e.Key, ago(e.ExpiresAt, now), oneLine(string(compact(e.Value)), 80))
	}
}
