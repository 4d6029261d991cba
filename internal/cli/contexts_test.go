package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestContexts finds the server to talk to, in the documented order, and keeps secrets to their owner.
func TestContexts(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "config", "contexts.json")
	t.Setenv("OCTOPUS_CONTEXTS", file)

	if got := command(t, "", "runs", "list"); got.code != ExitUsage || !strings.Contains(got.err, "No server is chosen") {
		t.Errorf("without a context: %+v", got)
	}
	all := contexts{Current: "prod", Contexts: map[string]Context{
		"prod": {URL: "https://prod.example.com", APIToken: "oct_prod"}, "test": {URL: "https://test.example.com"},
	}}
	if err := all.write(); err != nil {
		t.Fatal(err)
	}
	current := func(a app, wantName, wantURL, wantToken string) {
		t.Helper()
		name, c, err := a.currentContext()
		if err != nil || name != wantName || c.URL != wantURL || c.APIToken != wantToken {
			t.Errorf("context %s %+v, error %v; want %s %s %s", name, c, err, wantName, wantURL, wantToken)
		}
	}
	current(app{}, "prod", "https://prod.example.com", "oct_prod")
	if got := command(t, "", "context", "use", "test"); got.code != 0 {
		t.Errorf("context use: %+v", got)
	}
	current(app{}, "test", "https://test.example.com", "")
	if got := command(t, "", "context", "use", "nowhere"); got.code != ExitDenied {
		t.Errorf("context use nowhere: %+v", got)
	}

	// What octopus dev left in this folder wins; flags win over that.
	if err := os.Mkdir(devFolder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteDevContext(devFolder, Context{URL: "http://127.0.0.1:8080", APIToken: "oct_dev"}); err != nil {
		t.Fatal(err)
	}
	current(app{}, "dev", "http://127.0.0.1:8080", "oct_dev")
	current(app{flags: globals{context: "prod"}}, "prod", "https://prod.example.com", "oct_prod")
	current(app{flags: globals{context: "./" + devFolder}}, "./"+devFolder, "http://127.0.0.1:8080", "oct_dev")
	current(app{flags: globals{url: "https://other.example.com"}}, "https://other.example.com", "https://other.example.com", "")
	current(app{flags: globals{context: "prod", url: "https://other.example.com"}}, "prod", "https://other.example.com", "")
	current(app{flags: globals{context: "prod", apiToken: "oct_x"}}, "prod", "https://prod.example.com", "oct_x")

	got := command(t, "", "context", "list")
	if got.code != 0 || strings.Contains(got.out, "oct_") || !strings.Contains(got.out, "*  dev") || !strings.Contains(got.out, "prod") {
		t.Errorf("context list: %+v", got)
	}
	if runtime.GOOS == "windows" {
		return // permissions are inherited there
	}
	for _, path := range []string{file, filepath.Join(devFolder, contextFile)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, error %v", path, info.Mode(), err)
		}
	}
}
