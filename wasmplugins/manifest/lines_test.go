package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"octopus/wasmplugins/manifest"
)

const head = "schema: octopus.plugin/v1\nabi: 1\nname: hello\nversion: 1.0.0\n"

func TestFaultsNameLines(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		head + "actions:\n  - name: a b\n":                                      "6 actions[0].name",
		head + "actions:\n  - name: run\nlimits:\n  timeout: 20m\n":             "8 limits.timeout",
		head + "actions:\n  - name: run\ncapability: {}\n":                      "7 ",
		head + "actions:\n  - name: run\n    idempotent: maybe\n":               "7 ",
		head + "actions:\n  - name: run\n  - name: run\n":                       "7 actions[1].name",
		head + "actions:\n  - name: run\n  - name: go\n    idempotent: maybe\n": "8 ",
		head + "actions:\n  - name: run\nlimits:\n  timeout: soon\n":            "8 ",
		head + "actions:\n  - name: run\nlimits:\n  memory: 3 sheep\n":          "8 ",
		head + "actions: [\n":                           "",
		head + "actions:\n  - name: run\nname: again\n": "7 ",
		head + "description: x\n":                       "",
		head + "actions: &a\n  - name: run\ntests:\n  - {name: t, action: nope, expect: {}}\n": "8 tests[0].action",
	} {
		_, _, err := manifest.FromYAML([]byte(source))
		if err == nil {
			t.Errorf("%q was taken", source)
			continue
		}
		faults := manifest.Faults([]byte(source), err)
		got := fmt.Sprintf("%d %s", faults[0].Line, faults[0].Path)
		if !strings.HasPrefix(got, want) || faults[0].Message == "" || faults[0].Line == 0 {
			t.Errorf("%q: got %s: %+v, want %s", source, got, faults, want)
		}
	}
	if got := manifest.Line([]byte("a:\n  b: [1,\n  2]\n"), "a.b[1].c"); got != 3 {
		t.Errorf("line %d", got)
	}
	if got := manifest.Line([]byte("a: ["), "a"); got != 0 {
		t.Errorf("line %d of what cannot be read", got)
	}
}
