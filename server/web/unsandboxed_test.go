package web

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/dispatch"
	"octopus/wasmplugins"
)

// A plugin that may leave the sandbox says so wherever it is shown, and no other does. So does a dry run, with what it
// would have done.
func TestUnsandboxedAndDryRunsAreMarked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish()
	s.grant()
	module, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := wasmplugins.Pack(module, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"outside","version":"1.0.0",
		"actions":[{"name":"run"}],"capabilities":{"exec":[{"name":"uptime"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.catalog.Upload(t.Context(), packed, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.catalog.GrantAll(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	submit := func(work octopus.Work) string {
		run, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{Work: work, By: "ada", Source: "ui"})
		if err != nil {
			t.Fatal(err)
		}
		return "/runs/" + run.ID
	}
	const mark, dry = `data-testid="unsandboxed"`, `data-testid="dry-run"`
	b := s.as(octopus.RoleAdmin)
	outside := submit(octopus.Work{Plugin: "outside", Action: "run", DryRun: true})
	inside := submit(octopus.Work{Plugin: "all-kinds", Action: "do", Params: []byte(`{"url":"http://x.test"}`)})
	for path, marks := range map[string]int{
		"/plugins": 1, "/plugins/outside": 1, "/plugins/all-kinds": 0, "/run?plugin=outside": 1, "/run?plugin=all-kinds": 0,
		"/tasks/new?plugin=outside": 1, outside: 1, inside: 0,
	} {
		p := b.get(path)
		if p.StatusCode != 200 || strings.Count(p.body, mark) != marks {
			t.Errorf("%s: %d, %d marks, want %d", path, p.StatusCode, strings.Count(p.body, mark), marks)
		}
		if strings.Contains(p.body, dry) != (path == outside) {
			t.Errorf("%s: marked as a dry run: %v", path, path != outside)
		}
	}
	for capability, marks := range map[string]int{`"exec":[{"name":"uptime"}]`: 1, `"env":["TZ"]`: 0} { // where somebody decides about it
		module, err := wasmplugins.Pack(module, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"decided-`+strconv.Itoa(marks)+`","version":"1.0.0",
			"actions":[{"name":"run"}],"capabilities":{`+capability+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		preview := b.send(module)
		review := b.post(preview.Request.URL.Path, "submit", "1")
		for _, p := range []page{preview, review} {
			if p.StatusCode != 200 || strings.Count(p.body, mark) != marks {
				t.Errorf("%s: %d, %d marks, want %d", p.Request.URL.Path, p.StatusCode, strings.Count(p.body, mark), marks)
			}
		}
	}
	if again := b.get("/run?from=" + strings.TrimPrefix(outside, "/runs/")); !strings.Contains(again.body, `name="dry_run" value="on" checked`) {
		t.Error("what was a dry run is not one when it is run again")
	}
}
