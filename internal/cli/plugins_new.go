package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/sdk/assemblyscript"
	"octopus/sdk/c"
	"octopus/sdk/javascript"
	"octopus/sdk/plugin"
	"octopus/sdk/rust"
)

//go:embed scaffold
var scaffolds embed.FS

// sdkFiles are what new copies beside the templates of a language.
var sdkFiles = map[string]map[string]func() string{
	"go":             {"plugin/plugin.go": plugin.Source},
	"rust":           {"octopus.rs": rust.Source},
	"c":              {"octopus.h": c.Header},
	"assemblyscript": {"octopus.ts": assemblyscript.Source},
	"js":             {"octopus.d.ts": javascript.Types},
}

// pluginName is what the manifest's schema takes.
var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

func (a *app) pluginNew() *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a folder with a plugin that works",
		Long: `Write the folder NAME with a small plugin that builds and runs: its source, plugin.yaml with test cases, a README,
and a copy of the one-file SDK. JavaScript (js) needs no toolchain at all.

Any program that compiles to WASI can be a plugin, also without a template: see docs/plugins.md.`,
		Args: exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkLanguage(lang); err != nil {
				return err
			}
			return a.newPlugin(args[0], lang)
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "go", "language: "+languageNames())
	return cmd
}

// languageNames lists what --lang takes.
func languageNames() string {
	return strings.Join(slices.Sorted(maps.Keys(sdkFiles)), ", ")
}

func checkLanguage(lang string) error {
	if sdkFiles[lang] != nil {
		return nil
	}
	return usagef("There is no template for %q, only for %s; any program that compiles to WASI works without one: see docs/plugins.md.", lang, languageNames())
}

// newPlugin writes the folder, or nothing: it is made under another name first.
func (a *app) newPlugin(name, lang string) error {
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
	files, err := writeScaffold(dir, lang, name)
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
	return a.print(newReport{Folder: name, Language: lang, Files: files}, func(t *tabwriter.Writer) {
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

// writeScaffold fills a folder and returns the names of its files. The path of a Go module begins with "example",
// which Go keeps free for this: a plain name could be that of a standard package. The templates know two words and no
// more: text/template calls methods by name, which makes the linker keep all that any type has.
func writeScaffold(dir, lang, name string) ([]string, error) {
	fill := strings.NewReplacer("{{.Name}}", name, "{{.Module}}", "example/"+name)
	contents := map[string]string{}
	for _, folder := range []string{"scaffold", "scaffold/" + lang} {
		templates, err := fs.Glob(scaffolds, folder+"/*.tmpl")
		if err != nil {
			return nil, err
		}
		for _, t := range templates {
			text, err := fs.ReadFile(scaffolds, t)
			if err != nil {
				return nil, err
			}
			file := strings.TrimSuffix(path.Base(t), ".tmpl")
			if file == "gitignore" { // the dot would hide the template from go:embed
				file = ".gitignore"
			}
			contents[file] = fill.Replace(string(text))
		}
	}
	for file, source := range sdkFiles[lang] {
		contents[file] = source()
	}
	for file, text := range contents {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(contents)), nil
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
