package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// settled runs a command with settings and returns what its flags came to.
func settled(t *testing.T, file string, args ...string) (listen string, labels []string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "octopus", SilenceErrors: true, SilenceUsage: true}
	cmd := &cobra.Command{Use: "server", RunE: func(cmd *cobra.Command, _ []string) error { return (&app{}).settle(cmd) }}
	cmd.Flags().StringVar(&listen, "listen-on", "default", "")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "")
	root.AddCommand(withSettings(cmd, "server"))
	other := &cobra.Command{Use: "agent"}
	other.Flags().String("name", "", "")
	root.AddCommand(withSettings(other, "agent"))
	if file != "" {
		path := filepath.Join(t.TempDir(), "octopus.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	root.SetArgs(append([]string{"server"}, args...))
	err = root.ExecuteContext(t.Context())
	return listen, labels, err
}

// TestSettings: a flag wins over a variable, a variable over the file, the file over the default.
func TestSettings(t *testing.T) {
	const file = "server: {listen_on: file, label: {a: 1, b: two}}\nagent: {name: x}\n"
	check := func(name, want string, args ...string) {
		t.Helper()
		listen, labels, err := settled(t, file, args...)
		if err != nil || listen != want || strings.Join(labels, " ") != "a=1 b=two" {
			t.Errorf("%s: got %q, labels %q, error %v; want %q", name, listen, labels, err, want)
		}
	}
	check("file", "file")
	check("flag", "flag", "--listen-on", "flag")
	t.Setenv("OCTOPUS_LISTEN_ON", "variable")
	check("variable", "variable")
	check("flag over variable", "flag", "--listen-on", "flag")
}

// TestBadSettings names the file and the key.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"unknown key":     {"server: {listn_on: x}", `has the key "server.listn_on", which Octopus does not know`},
		"unknown section": {"sever: {listen_on: x}", `has the key "sever.listen_on"`},
		"not YAML":        {"server: [", "is not a configuration file"},
		"no sections":     {"listen_on: x", "is not a configuration file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := settled(t, c.file)
			if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != ExitUsage {
				t.Errorf("error %v, exit code %d; want a usage error with %q", err, exitCode(err), c.want)
			}
		})
	}
}
