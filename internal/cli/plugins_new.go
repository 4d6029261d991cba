package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/spf13/cobra"

	"octopus/sdk/plugin"
)

//go:embed scaffold
var scaffolds embed.FS

// plannedLanguages will have a scaffold one day.
var plannedLanguages = []string{"rust", "c", "assemblyscript", "js"}

// pluginName is what the manifest's schema takes.
var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

func (a *app) pluginNew() *cobra.Command {
	var lang string
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a folder with a plugin that works",
		Long: `Write the folder NAME with a small plugin that builds and runs: main.go, plugin.yaml with test cases, a README,
and a copy of the one-file SDK.

Go is the only language so far. Any program that compiles to WASI can be a plugin without it: see docs/plugins.md.`,
		Example: "  octopus plugins new hello\n  octopus plugins build hello",
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkLanguage(lang); err != nil {
				return err
			}
			return a.newPlugin(args[0])
		},
	}
	c.Flags().StringVar(&lang, "lang", "go", "language: go")
	return c
}

func checkLanguage(lang string) error {
	switch {
	case lang == "go":
		return nil
	case slices.Contains(plannedLanguages, lang):
		return usagef("There is no template for %s yet, only for go; any program that compiles to WASI works without one: see docs/plugins.md.", lang)
	}
	return usagef("There is no template for %q, only for go; any program that compiles to WASI works without one: see docs/plugins.md.", lang)
}

// newPlugin writes the folder, or nothing: it is made under another name first.
func (a *app) newPlugin(name string) error {
	if !pluginName.MatchString(name) {
		return usagef("%q cannot be the name of a plugin: take 2 to 63 lower-case letters, digits and dashes, as in disk-usage.", name)
	}
	if _, err := os.Lstat(name); err == nil {
		return usagef("%s exists already; choose another name, or remove it first.", name)
	}
	dir, err := os.MkdirTemp(".", "."+name+"-")
	if err != nil {
		return usagef("A folder cannot be made here: %v.", unwrapPath(err))
	}
	defer os.RemoveAll(dir)
	files, err := writeScaffold(dir, name)
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Rename(dir, name)
	}
	if err != nil {
		return usagef("%s cannot be written: %v.", name, unwrapPath(err))
	}
	fmt.Fprintf(a.Err, "Wrote the plugin %s.\nNext: octopus plugins build %s\n", name, name)
	return a.print(newReport{Folder: name, Language: "go", Files: files}, func(t *tabwriter.Writer) {
		for _, file := range files {
			row(t, filepath.Join(name, filepath.FromSlash(file)))
		}
	})
}

type newReport struct {
	Folder   string   `json:"folder"`
	Language string   `json:"language"`
	Files    []string `json:"files"`
}

// writeScaffold fills a folder and returns the names of its files. The module's path begins with "example", which Go
// keeps free for this: a plain name could be that of a standard package.
func writeScaffold(dir, name string) ([]string, error) {
	root, err := fs.Sub(scaffolds, "scaffold/go")
	if err != nil {
		return nil, err
	}
	templates, err := template.ParseFS(root, "*.tmpl")
	if err != nil {
		return nil, err
	}
	about := struct{ Name, Module string }{name, "example/" + name}
	var files []string
	for _, t := range templates.Templates() {
		var text strings.Builder
		if err := t.Execute(&text, about); err != nil {
			return nil, err
		}
		file := strings.TrimSuffix(t.Name(), ".tmpl")
		if file == "gitignore" { // the dot would hide the template from go:embed
			file = ".gitignore"
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text.String()), 0o644); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if err := os.Mkdir(filepath.Join(dir, "plugin"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "plugin", "plugin.go"), []byte(plugin.Source()), 0o644); err != nil {
		return nil, err
	}
	files = append(files, "plugin/plugin.go")
	slices.Sort(files)
	return files, nil
}

// unwrapPath is the cause without the temporary name.
func unwrapPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
