package cli

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"octopus/wasmplugins/manifest"
)

// TestScaffold holds what is written to what the server takes; e2e/cli builds and runs it.
func TestScaffold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := writeScaffold(dir, "net")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{".gitignore", "README.md", "go.mod", "main.go", "plugin.yaml", "plugin/plugin.go"}; !slices.Equal(files, want) {
		t.Errorf("got %v, want %v", files, want)
	}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "{{") {
			t.Errorf("%s has a hole", file)
		}
		if filepath.Ext(file) == ".go" {
			if _, err := parser.ParseFile(token.NewFileSet(), file, raw, parser.AllErrors); err != nil {
				t.Error(err)
			}
		}
		if file == "plugin.yaml" {
			if _, m, err := manifest.FromYAML(raw); err != nil || m.Name != "net" || len(m.Tests) == 0 {
				t.Errorf("got %+v, %v", m, err)
			}
		}
	}
}

func TestNewAndBuildRefusals(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"NAME is missing":                        {"new"},
		"one word too many":                      {"new", "a", "b"},
		`"Hello" cannot be the name of a plugin`: {"new", "Hello"},
		`"a/b" cannot be the name of a plugin`:   {"new", "a/b"},
		`"x" cannot be the name of a plugin`:     {"new", "x"},
		"scaffold exists already":                {"new", "scaffold"},
		"no template for js yet":                 {"new", "--lang", "js", "hello"},
		`no template for "perl"`:                 {"new", "--lang", "perl", "hello"},
		"There is no folder nowhere":             {"build", "nowhere"},
		"holds no plugin.yaml":                   {"build", t.TempDir()},
		"plugins_new.go is a file":               {"build", "plugins_new.go"},
		`"b" is one word too many`:               {"build", "a", "b"},
	} {
		if got := command(t, "", append([]string{"plugins"}, args...)...); got.code != ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if hint := installGo(); runtime.GOOS == "linux" && !strings.Contains(hint, "linux-"+runtime.GOARCH+".tar.gz") {
		t.Errorf("the hint is %q", hint)
	}
}
