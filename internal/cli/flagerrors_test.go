package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"octopus/sdk"
)

// TestFlagErrors: no sentence of a parser reaches a person.
func TestFlagErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args, want string
	}{
		{"agents list --limit nope", `--limit is "nope", but must be a whole number.`},
		{"agents list --limt 5", "octopus agents list has no flag --limt; did you mean --limit?"},
		{"agents list --zebra", "octopus agents list has no flag --zebra."},
		{"agents list --limit", "--limit needs a value."},
		{"agents list --limit 0", "--limit is 0, but must be a whole number from 1 to 500."},
		{"runs list --limit -5", "--limit is -5, but must be a whole number from 1 to 500."},
		{"plugins submissions --limit 0", "--limit is 0, but must be a whole number from 1 to 500."},
		{"--url http://127.0.0.1:1 run noop --agent=", "--agent is empty: name an agent, or leave it out for any."},
		{"--url http://127.0.0.1:1 run noop --seed 18446744073709551616", `--seed is "18446744073709551616", but must be a whole number from 0 to 18446744073709551615.`},
		{"run echo --wait soon", `--wait is "soon", but must be a duration such as 90s, 15m or 24h.`},
		{"run echo --follow=perhaps", `--follow is "perhaps", but must be true or false.`},
		{"agent --slots many", `--slots is "many", but must be a whole number.`},
		{"server --trusted-proxies home", `--trusted-proxies is "home", but must be networks such as 10.0.0.0/8.`},
		{"server --max-module big", `--max-module is "big", but must be a size such as 512KiB, 64MiB or 1GiB.`},
		{"agent --label prod", `--label is "prod", but must look like key=value.`},
		{"server --grant-builtins=often", `--grant-builtins is "often", but must be true or false.`},
	} {
		got := command(t, "", strings.Fields(tc.args)...)
		if got.code != ExitUsage || !strings.Contains(got.err, tc.want+"\n") || strings.Contains(got.err, "strconv") {
			t.Errorf("%s: exit code %d, %q; want %q", tc.args, got.code, got.err, tc.want)
		}
	}
}

// TestEmptyWords: a variable of a script that is not set names nothing.
func TestEmptyWords(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{"RUN is empty.": {"runs", "wait", ""}, "TASK is empty.": {"tasks", "delete", "nightly", " "}} {
		if got := command(t, "", args...); got.code != ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%q: exit code %d, %q; want %q", args, got.code, got.err, want)
		}
	}
}

// TestFieldsAreFlags: what the server says of a field is said of the flag that fills it.
func TestFieldsAreFlags(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{Use: "create"}
	cmd.Flags().Duration("ttl", 0, "")
	cmd.Flags().Int("uses", 0, "")
	cmd.Flags().Int("count", 0, "")
	for message, want := range map[string]string{
		"/ttl_seconds: must be at least 0.":       "octopus: --ttl must be at least 0.\n",
		"/ttl_seconds: must be at most 2592000.":  "octopus: --ttl must be at most 720h.\n",
		"/ttl_seconds: must be at most 90.":       "octopus: --ttl must be at most 90s.\n",
		"/target/count: must be at most 10000.":   "octopus: --count must be at most 10000.\n",
		"/max_uses: must be at least 0.":          "octopus: --uses must be at least 0.\n",
		"/colour: must be one of: red, green.":    "octopus: /colour: must be one of: red, green.\n",
		"There is no agent called x: look again.": "octopus: There is no agent called x: look again.\n",
	} {
		var out bytes.Buffer
		(&app{Streams: Streams{Err: &out}}).complain(cmd, &sdk.Error{Code: "invalid", Message: message})
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
