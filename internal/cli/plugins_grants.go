package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"octopus/sdk"
	"octopus/sdk/spec"
)

func (a *app) pluginsGrants() *cobra.Command {
	var f sdk.GrantFilter
	var list listFlags
	cmd := a.online("grants", "Show what each digest may do, who granted it, and when", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			f.List = list.List
			page, err := c.Grants(ctx, f)
			if err != nil {
				return err
			}
			return printPage(a, page, grantTable)
		})
	list.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.Plugin, "plugin", "", "of one plugin")
	fs.StringVar(&f.Capability, "capability", "", "that allow something of a capability: "+strings.Join(spec.CapabilityNames, ", "))
	fs.StringVar(&f.GrantedBy, "by", "", "that a user made, or octopus")
	fs.StringVar(&f.State, "state", "", "in_force; older: runs that follow the plugin get a newer version, or this one is disabled or revoked; revoked: taken back")
	fs.StringVar(&f.Text, "text", "", "that hold a word: plugin, version, user, or what is granted")
	return cmd
}

func grantTable(t io.Writer, grants []sdk.Grant) {
	now := time.Now()
	row(t, "PLUGIN", "VERSION", "STATE", "MAY", "BY", "WHEN", "DIGEST")
	for _, g := range grants {
		may := oneLine(strings.Join(g.Allows, "; "), 80)
		row(t, g.Plugin, g.Version, statusWords(g.State), dash(may), dash(g.GrantedBy), ago(g.GrantedAt, now), oneLine(g.Digest, 20))
	}
}

func (a *app) pluginsAgents() *cobra.Command {
	var version string
	var list listFlags
	cmd := a.online("agents PLUGIN", "Show which agents fetched a version or ran it lately", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			if version == "" {
				p, err := c.Plugin(ctx, args[0])
				if err != nil {
					return err
				}
				if len(p.Versions) == 0 {
					return usagef("%s has no version.", p.Name)
				}
				version = p.Versions[0].Version
				fmt.Fprintf(a.Err, "Version %s, the newest:\n", version)
			}
			page, err := c.VersionAgents(ctx, args[0], version, list.List)
			if err != nil {
				return err
			}
			return printPage(a, page, versionAgentTable)
		})
	list.register(cmd)
	cmd.Flags().StringVar(&version, "version", "", "one version (default the newest)")
	return cmd
}

func versionAgentTable(t io.Writer, agents []sdk.VersionAgent) {
	now := time.Now()
	row(t, "AGENT", "FETCHED", "LAST FETCHED", "RAN", "LAST RAN")
	for _, g := range agents {
		row(t, g.AgentName, g.Fetches, ago(g.FetchedAt, now), g.Runs, ago(g.RanAt, now))
	}
}

func (a *app) pluginsGrant() *cobra.Command {
	var version, capabilities string
	var secrets map[string]string
	cmd := a.online("grant PLUGIN", "Allow a plugin what it asks for, or less", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			g := sdk.NewGrant{Plugin: args[0], Version: version, Secrets: secrets}
			if capabilities != "" {
				raw, err := readArgument(a.In, capabilities)
				if err != nil {
					return err
				}
				if !json.Valid(raw) {
					return usagef("--capabilities must be JSON such as '{\"http\": {\"hosts\": [\"example.com\"]}}'.")
				}
				g.Capabilities = raw
			}
			made, err := c.Grant(ctx, g)
			if err != nil {
				return err
			}
			for _, missing := range made.Missing {
				fmt.Fprintln(a.Err, missing)
			}
			return a.print(made, func(t *tabwriter.Writer) {
				row(t, "Plugin", made.Plugin+" "+made.Version)
				row(t, "Digest", made.Digest)
				row(t, "Granted", string(compact(made.Capabilities)))
			})
		})
	cmd.Flags().StringVar(&version, "version", "", "one version (default the newest)")
	cmd.Flags().StringVar(&capabilities, "capabilities", "", "less than it asks for, as JSON: '{…}', @file or -")
	cmd.Flags().StringToStringVar(&secrets, "secret", nil, "which stored secret is meant, as in api_token=jira-token; may be repeated (default as before, or the same name)")
	return cmd
}

func (a *app) pluginsRevoke() *cobra.Command {
	var version string
	cmd := a.online("revoke PLUGIN", "Take back what a plugin was granted", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			p, err := c.Plugin(ctx, args[0])
			if err != nil {
				return err
			}
			for _, v := range p.Versions {
				if v.Grant == nil || version != "" && v.Version != version {
					continue
				}
				if err := c.RevokeGrant(ctx, v.Digest); err != nil {
					return err
				}
				fmt.Fprintf(a.Err, "%s %s: revoked\n", p.Name, v.Version)
			}
			return nil
		})
	cmd.Flags().StringVar(&version, "version", "", "one version only (default every version)")
	return cmd
}
