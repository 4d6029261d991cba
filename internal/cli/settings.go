package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// configFlag names the file that holds settings, where a process takes one.
const configFlag = "config"

// withSettings lets every flag of a process also be set by OCTOPUS_<FLAG> and by a key of its section in the file
// that --config names. The command line wins over the environment, and that over the file.
func withSettings(cmd *cobra.Command, section string) *cobra.Command {
	cmd.Flags().String(configFlag, "", "YAML file with settings: a key a flag, in the section "+section)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return applySettings(cmd, section, os.LookupEnv) }
	return cmd
}

func applySettings(cmd *cobra.Command, section string, env func(string) (string, bool)) error {
	flags := cmd.LocalFlags()
	if path, ok := env(envName(configFlag)); ok && !flags.Changed(configFlag) {
		if err := flags.Set(configFlag, path); err != nil {
			return err
		}
	}
	file, err := readSettings(flags.Lookup(configFlag).Value.String(), section)
	if err != nil {
		return err
	}
	var problems []error
	flags.VisitAll(func(f *pflag.Flag) {
		key := strings.ReplaceAll(f.Name, "-", "_")
		fromFile, inFile := file[key]
		delete(file, key)
		if f.Changed || f.Name == configFlag || f.Name == "help" {
			return
		}
		if value, ok := env(envName(f.Name)); ok {
			problems = append(problems, set(flags, f.Name, value, envName(f.Name)))
		} else if inFile {
			problems = append(problems, set(flags, f.Name, fromFile, section+"."+key))
		}
	})
	for key := range file {
		problems = append(problems, usagef("%s.%s in the config file is not a setting; see %s --help.", section, key, cmd.CommandPath()))
	}
	return errors.Join(problems...)
}

func set(flags *pflag.FlagSet, name, value, origin string) error {
	if err := flags.Set(name, value); err != nil {
		return usagef("%s: %v", origin, err)
	}
	return nil
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "OCTOPUS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readSettings reads one section of a config file as texts. No path is an empty section.
func readSettings(path, section string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("the config file %s does not exist.", path)
	}
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	var file map[string]map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, usagef("%s is not a config file: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	settings := make(map[string]string, len(file[section]))
	for key, node := range file[section] {
		text, err := settingText(node)
		if err != nil {
			return nil, usagef("%s line %d: %s.%s %v", path, node.Line, section, key, err)
		}
		settings[key] = text
	}
	return settings, nil
}

// settingText turns a YAML value into what one would type after the flag: a list becomes words between commas, a
// mapping k=v pairs.
func settingText(node yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Value, nil
	case yaml.SequenceNode:
		words := make([]string, len(node.Content))
		for i, n := range node.Content {
			words[i] = n.Value
		}
		return strings.Join(words, ","), nil
	case yaml.MappingNode:
		var pairs []string
		for i := 0; i+1 < len(node.Content); i += 2 {
			pairs = append(pairs, node.Content[i].Value+"="+node.Content[i+1].Value)
		}
		return strings.Join(pairs, ","), nil
	}
	return "", errors.New("must be a text, a number, a list or a mapping.")
}
