package cli

import (
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octopus/sdk/javascript"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
	"octopus/wasmplugins/toolchain"
)

// TestScaffold holds what is written to what the server takes; e2e/cli builds and runs it.
func TestScaffold(t *testing.T) {
	t.Parallel()
	for lang, own := range map[string][]string{
		"go":             {"go.mod", "main.go", "plugin/plugin.go"},
		"c":              {"main.c", "octopus.h"},
		"rust":           {"main.rs", "octopus.rs"},
		"assemblyscript": {"index.ts", "octopus.ts", "package.json", "tsconfig.json"},
		"js":             {"octopus.d.ts", "plugin.js"},
	} {
		dir := t.TempDir()
		files, err := writeScaffold(dir, lang, "net")
		if err != nil {
			t.Fatal(err)
		}
		want := append([]string{".gitignore", "README.md", "plugin.yaml"}, own...)
		slices.Sort(want)
		if !slices.Equal(files, want) {
			t.Errorf("%s: got %v, want %v", lang, files, want)
		}
		for _, file := range files {
			checkScaffoldFile(t, filepath.Join(dir, file))
		}
		if found, ok := toolchain.Detect(dir); !ok || found.Name != lang {
			t.Errorf("%s is taken for %q", lang, found.Name)
		}
	}
}

func checkScaffoldFile(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "{{.") {
		t.Errorf("%s has a hole", file)
	}
	if filepath.Ext(file) == ".go" {
		if _, err := parser.ParseFile(token.NewFileSet(), file, raw, parser.AllErrors); err != nil {
			t.Error(err)
		}
	}
	if filepath.Base(file) == "plugin.yaml" {
		if _, m, err := manifest.FromYAML(raw); err != nil || m.Name != "net" || len(m.Tests) == 0 {
			t.Errorf("got %+v, %v", m, err)
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
}

// TestScaffoldsCompile has the real compilers make modules of what new writes; e2e/cli does it for Go and JavaScript.
func TestScaffoldsCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	for _, lang := range []string{"c", "rust", "assemblyscript"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.wasm")
			if _, err := writeScaffold(dir, lang, "net"); err != nil {
				t.Fatal(err)
			}
			language, _ := toolchain.Detect(dir)
			err := language.Compile(t.Context(), dir, out)
			var missing *toolchain.Missing
			var failed *toolchain.Failed
			if errors.As(err, &missing) && os.Getenv("OCTOPUS_CI") == "" {
				t.Skip(missing)
			}
			if errors.As(err, &failed) {
				t.Fatal(failed.Said)
			}
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(out); err != nil {
				t.Error(err)
			} else if _, err := wasmplugins.Check(raw, wasmplugins.DefaultMemory); err != nil {
				t.Error(err)
			}
		})
	}
}

// What begins in the browser begins like what begins on a command line.
func TestScaffoldIsTheFirstTemplate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := writeScaffold(dir, "js", "hello"); err != nil {
		t.Fatal(err)
	}
	script, manifest, ok := javascript.Write("hello", "hello")
	if !ok {
		t.Fatal("no template hello")
	}
	for file, want := range map[string]string{"plugin.js": script, "plugin.yaml": manifest} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v, %s\nbut in the browser %s", file, err, got, want)
		}
	}
}
