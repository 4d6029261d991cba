package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"octopus/sdk/plugin"
)

// mostFiles is what one execution can read: the host carries out 10,000 calls on files.
const mostFiles = 8000

// shown is how many names of each kind the result holds.
const shown = 100

// facts are what the host says of a file.
type facts struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Size     int64     `json:"size"`
	Mode     string    `json:"mode"`
	Modified time.Time `json:"modified"`
}

type file struct {
	path string
	facts
}

type collected struct {
	files   []file
	skipped []string
}

type pathRequest struct {
	Path string `json:"path"`
}

// collect lists what is below the sources, by path, each once.
func collect(ctx *plugin.Context, p params) (*collected, error) {
	for _, pattern := range p.Exclude {
		if _, err := path.Match(pattern, "x"); err != nil {
			return nil, &mistake{"invalid_params", fmt.Sprintf("%q is no pattern such as *.tmp", pattern)}
		}
	}
	c := &collected{}
	for _, source := range p.Sources {
		source = clean(source)
		var f facts
		if err := ctx.Call("file.stat", pathRequest{source}, &f); err != nil {
			return nil, err
		}
		var err error
		if f.Type == "directory" {
			err = c.below(ctx, p, source)
		} else {
			err = c.take(file{source, f})
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(c.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	c.files = slices.CompactFunc(c.files, func(a, b file) bool { return a.path == b.path })
	return c, nil
}

func (c *collected) below(ctx *plugin.Context, p params, folder string) error {
	if folder == clean(p.To) { // archives do not hold archives
		return nil
	}
	if err := cancelled(ctx); err != nil {
		return err
	}
	return list(ctx, folder, func(f facts) error {
		where := join(folder, f.Name)
		switch {
		case excluded(p.Exclude, where):
			return nil
		case f.Type == "directory":
			return c.below(ctx, p, where)
		}
		return c.take(file{where, f})
	})
}

// take notes a file; anything else, such as a link, is left out.
func (c *collected) take(f file) error {
	if f.Type != "file" {
		if len(c.skipped) < shown {
			c.skipped = append(c.skipped, f.path)
		}
		return nil
	}
	if c.files = append(c.files, f); len(c.files) > mostFiles {
		return &mistake{"too_many", fmt.Sprintf("there are more than %d files; make several tasks of it, or exclude some", mostFiles)}
	}
	return nil
}

func cancelled(ctx *plugin.Context) error {
	if ctx.Cancelled() {
		return &plugin.HostError{Code: "cancelled", Message: "it was asked to end"}
	}
	return nil
}

// list calls each for every entry of a folder.
func list(ctx *plugin.Context, folder string, each func(facts) error) error {
	after := ""
	for {
		var page struct {
			Entries []facts `json:"entries"`
			More    bool    `json:"more"`
		}
		if err := ctx.Call("file.list", map[string]string{"path": folder, "after": after}, &page); err != nil {
			return err
		}
		for _, f := range page.Entries {
			after = f.Name
			if err := each(f); err != nil {
				return err
			}
		}
		if !page.More || len(page.Entries) == 0 {
			return nil
		}
	}
}

// excluded looks at the name, and at the whole path.
func excluded(patterns []string, where string) bool {
	slashed := strings.ReplaceAll(where, `\`, "/")
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		name, _ := path.Match(pattern, path.Base(slashed))
		whole, _ := path.Match(pattern, slashed)
		return name || whole
	})
}

// join puts a name behind a folder, with the separator that its path has.
func join(folder, name string) string {
	separator := "/"
	if strings.Contains(folder, `\`) && !strings.Contains(folder, "/") {
		separator = `\`
	}
	return strings.TrimSuffix(folder, separator) + separator + name
}

func base(where string) string { return where[strings.LastIndexAny(where, `/\`)+1:] }

// clean leaves out separators at the end.
func clean(where string) string {
	if short := strings.TrimRight(where, `/\`); short != "" && !strings.HasSuffix(short, ":") {
		return short
	}
	return where
}

// inside is a path within an archive: relative, with slashes.
func inside(where string) string {
	slashed := strings.ReplaceAll(where, `\`, "/")
	if len(slashed) > 1 && slashed[1] == ':' {
		slashed = slashed[:1] + slashed[2:]
	}
	return strings.TrimLeft(path.Clean("/"+slashed), "/")
}
