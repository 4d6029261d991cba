package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// pluginsConfig shows a plugin's configuration, or changes it.
func (a *app) pluginsConfig() *cobra.Command {
	var set []string
	var file string
	var clearAll bool
	cmd := a.online("config PLUGIN", "Show or fill in a plugin's configuration, which arrives in its requests", exactly("PLUGIN"),
		func(ctx context.Context, c *sdk.Client, args []string) error {
			config, err := c.PluginConfig(ctx, args[0])
			if err != nil {
				return err
			}
			next, err := a.nextConfig(config, set, file, clearAll)
			if err == nil && next != nil {
				config, err = c.SetPluginConfig(ctx, args[0], next)
			}
			if err != nil {
				return err
			}
			for _, problem := range config.Problems {
				fmt.Fprintln(a.Err, problem)
			}
			return a.print(config, func(t *tabwriter.Writer) { showConfig(t, config) })
		})
	f := cmd.Flags()
	f.StringArrayVar(&set, "set", nil, "setting k=v, typed by the plugin's schema; the others stay; may be repeated. Secrets do not belong here: see octopus secrets")
	f.StringVar(&file, "file", "", "the whole configuration as JSON: a file, or - for standard input")
	f.BoolVar(&clearAll, "clear", false, "remove it: the plugin's defaults hold")
	cmd.MarkFlagsMutuallyExclusive("set", "file", "clear")
	return cmd
}

// nextConfig is the configuration that the flags ask for, nil where they ask for no change.
func (a *app) nextConfig(now sdk.PluginConfig, set []string, file string, clearAll bool) (json.RawMessage, error) {
	switch {
	case clearAll:
		return json.RawMessage("null"), nil
	case file != "":
		from := "@" + file
		if file == "-" {
			from = file
		}
		raw, err := readArgument(a.In, from)
		if err != nil {
			return nil, err
		}
		if !json.Valid(raw) {
			return nil, usagef("--file %s holds no JSON.", file)
		}
		return raw, nil
	case len(set) == 0:
		return nil, nil
	}
	changes, err := paramFlags{pairs: set}.read(a.In, now.Schema)
	if err != nil {
		return nil, err
	}
	next := map[string]json.RawMessage{}
	if err := json.Unmarshal(now.Config, &next); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if err := json.Unmarshal(changes, &next); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return json.Marshal(next)
}

func showConfig(t *tabwriter.Writer, c sdk.PluginConfig) {
	if c.UpdatedBy != "" {
		row(t, "Changed", c.UpdatedBy+", "+c.UpdatedAt.Local().Format("2006-01-02 15:04"))
	}
	var settings map[string]json.RawMessage
	_ = json.Unmarshal(c.Config, &settings) // the server sends an object
	for _, name := range sortedKeys(settings) {
		row(t, name, string(compact(settings[name])))
	}
	types := propertyTypes(c.Schema)
	for _, name := range sortedKeys(types) {
		if _, ok := settings[name]; !ok {
			row(t, name, "not set")
		}
	}
	if len(settings)+len(types) == 0 {
		row(t, "Configuration", "none; the plugin asks for none")
	}
}
