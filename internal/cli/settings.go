package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// keyAnnotation holds the key of a flag in the configuration file, such as "server.tls_cert".
const keyAnnotation = "octopus_key"

// withSettings makes flags settable in three ways. From the strongest to the weakest: the flag, the environment
// variable OCTOPUS_<FLAG>, and its key in the file that --config names. Keys are the flags' names with underscores,
// below section. Call it after the flags are defined; the root settles them before a command runs.
func withSettings(cmd *cobra.Command, section string) *cobra.Command {
	f := cmd.Flags()
	f.String("config", "", "YAML file with settings; flags and OCTOPUS_… variables win over it")
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Name == "help" || flag.Annotations[keyAnnotation] != nil {
			return
		}
		key := section + "." + strings.ReplaceAll(flag.Name, "-", "_")
		if flag.Name == "config" {
			key = ""
		}
		flag.Annotations = map[string][]string{keyAnnotation: {key}}
	})
	return cmd
}

// environment lets flags be set by OCTOPUS_<FLAG>, without a key in a file.
func environment(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.Lookup(name).Annotations = map[string][]string{keyAnnotation: {""}}
	}
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "OCTOPUS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settle fills the flags that the command line left out from the environment and the configuration file.
func (a *app) settle(cmd *cobra.Command) error {
	if err := fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	path, err := cmd.Flags().GetString("config")
	if err != nil || path == "" {
		return nil // a command without a file
	}
	values, err := readSettings(path)
	if err != nil {
		return err
	}
	return fromFile(cmd, path, values)
}

func fromEnvironment(flags *pflag.FlagSet) (first error) {
	flags.VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(variable(f.Name))
		if first != nil || f.Changed || value == "" || f.Annotations[keyAnnotation] == nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			first = usagef("%s is not usable: %v.", variable(f.Name), err)
		}
	})
	return first
}

// fromFile sets flags by their keys, and refuses keys that no command knows: a typing mistake must not switch a
// setting off in silence.
func fromFile(cmd *cobra.Command, path string, values map[string][]string) (first error) {
	known := map[string]bool{}
	knownKeys(cmd.Root(), known)
	for _, key := range sortedKeys(values) {
		if !known[key] {
			return usagef("%s has the key %q, which Octopus does not know; docs/config.md lists them.", path, key)
		}
	}
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		key := strings.Join(f.Annotations[keyAnnotation], "")
		if key == "" || f.Changed || first != nil {
			return
		}
		for _, v := range values[key] {
			if err := flags.Set(f.Name, v); err != nil {
				first = usagef("%s in %s is not usable: %v.", key, path, err)
			}
		}
	})
	return first
}

// knownKeys collects the keys of every command, so that one file can serve several of them.
func knownKeys(cmd *cobra.Command, into map[string]bool) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if key := strings.Join(f.Annotations[keyAnnotation], ""); key != "" {
			into[key] = true
		}
	})
	for _, c := range cmd.Commands() {
		knownKeys(c, into)
	}
}

// readSettings flattens a YAML file: "section.key" → its values. A mapping below a key becomes "k=v" values.
func readSettings(path string) (map[string][]string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("The configuration file cannot be read: %v.", err)
	}
	var file map[string]map[string]any
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, usagef("%s is not a configuration file of sections with keys: %v.", path, err)
	}
	out := map[string][]string{}
	for section, keys := range file {
		for key, value := range keys {
			out[section+"."+key] = settingValues(value)
		}
	}
	return out, nil
}

func settingValues(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			out[i] = fmt.Sprint(e)
		}
		return out
	case map[string]any:
		out := make([]string, 0, len(v))
		for _, k := range sortedKeys(v) {
			out = append(out, k+"="+fmt.Sprint(v[k]))
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
