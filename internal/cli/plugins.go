package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/sdk"
	"octopus/sdk/spec"
)

// pluginsCommands are the verbs of `octopus plugins`: those of the server, and the author's.
func (a *app) pluginsCommands() []*cobra.Command {
	return append(append([]*cobra.Command{
		a.pluginsList(), a.pluginsGet(), a.pluginsConfig(), a.pluginsUpload(),
		a.pluginsSwitch("enable", "Let plugins run", true), a.pluginsSwitch("disable", "Keep plugins from running", false),
		a.pluginsGrant(), a.pluginsRevoke(), a.pluginsGrants(), a.pluginsAgents(),
	}, append(a.reviewCommands(), a.ringCommands()...)...), a.localPluginCommands()...)
}

func (a *app) pluginsList() *cobra.Command {
	return a.online("list", "List plugins with their newest version", exactly(),
		func(ctx context.Context, c *sdk.Client, _ []string) error {
			page, err := c.Plugins(ctx)
			if err != nil {
				return err
			}
			return printPage(a, page, pluginTable)
		})
}

func (a *app) pluginsGet() *cobra.Command {
	return a.online("get PLUGIN", "Show a plugin with its actions, versions and grant", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			p, err := c.Plugin(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func(t *tabwriter.Writer) { showPlugin(t, p) })
		})
}

func showPlugin(t io.Writer, p sdk.Plugin) {
	row(t, "Plugin", p.Name+" ("+p.Source+")")
	row(t, "Description", dash(p.Description))
	row(t, "Enabled", yesNo(p.Enabled))
	row(t, "Used", fmt.Sprintf("%d runs, %d tasks", p.Runs, p.Tasks))
	m := manifestOf(p, "")
	for _, action := range m.Actions {
		row(t, "Action", strings.TrimSuffix(action.Name+": "+oneLine(action.Description, 100), ": "))
		types := propertyTypes(action.Params)
		for _, name := range sortedKeys(types) {
			row(t, "", "  --param "+name+"=<"+strings.Join(types[name], " or ")+">")
		}
	}
	for i, v := range p.Versions {
		row(t, "Version", v.Version+", "+v.Status+", "+ringWords(v)+", "+fmt.Sprint(v.SizeBytes>>10)+" KiB, "+v.Digest)
		if i == 0 {
			if asksFor(t, m.Capabilities) {
				row(t, "Granted", granted(v))
			}
			if v.Unsandboxed {
				row(t, "Unsandboxed", "it may run programs outside the sandbox, with the rights of the agent's user")
			}
		}
	}
}

// asksFor lists what a plugin wants to be granted, and reports whether it wants anything.
func asksFor(t io.Writer, c spec.Capabilities) bool {
	wants := c.Missing(spec.Capabilities{})
	if len(wants) == 0 {
		row(t, "Asks for", "nothing")
	}
	for _, phrase := range wants {
		row(t, "Asks for", phrase)
	}
	return len(wants) > 0
}

// grantedAny reports whether a version was granted something: a grant that was taken back is an empty one.
func grantedAny(v sdk.PluginVersion) bool {
	return v.Grant != nil && string(compact(v.Grant.Capabilities)) != "{}"
}

// granted is the grant of a version in words.
func granted(v sdk.PluginVersion) string {
	if !grantedAny(v) {
		return "nothing"
	}
	return string(compact(v.Grant.Capabilities)) + " by " + dash(v.Grant.GrantedBy)
}

func (a *app) pluginsUpload() *cobra.Command {
	var ring string
	cmd := a.online("upload FILE.wasm", "Publish a packed module", exactly("FILE.wasm"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			if m.manifest == nil {
				return usagef("%s holds no manifest: pack it first with octopus plugins pack.", args[0])
			}
			v, err := c.UploadPluginInto(ctx, m.bytes, ring)
			if err != nil {
				return err
			}
			if v.Grant == nil && len(m.manifest.Capabilities.Missing(spec.Capabilities{})) > 0 {
				fmt.Fprintf(a.Err, "It may do nothing beyond computing until an administrator grants it: octopus plugins grant %s\n", v.Plugin)
			}
			return a.print(v, func(t *tabwriter.Writer) {
				row(t, "PLUGIN", "VERSION", "STATUS", "RING", "DIGEST")
				row(t, v.Plugin, v.Version, v.Status, v.Ring, v.Digest)
			})
		})
	ringFlag(cmd, &ring)
	return cmd
}
