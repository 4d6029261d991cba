package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"octopus/internal/octopus"
)

// devFolder is where `octopus dev` keeps its data unless told otherwise. The context that lies there wins over the
// user's current one, so that commands in that folder talk to that server.
const devFolder = "octopus-data"

// contextFile is the name of the context that a data folder holds.
const contextFile = "context.json"

// Context is a server and the right to talk to it.
type Context struct {
	Name     string `json:"name,omitempty"`
	URL      string `json:"url"`
	APIToken string `json:"api_token"`
	CAFile   string `json:"ca_file,omitempty"`
}

// contexts is the user's file. It holds secrets and is only readable by its owner.
type contexts struct {
	Current  string             `json:"current,omitempty"`
	Contexts map[string]Context `json:"contexts"`
}

// contextsPath is $OCTOPUS_CONTEXTS, or octopus/contexts.json in the user's configuration folder.
func contextsPath() (string, error) {
	if p := os.Getenv("OCTOPUS_CONTEXTS"); p != "" {
		return p, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usagef("There is no folder for contexts: set OCTOPUS_CONTEXTS to a file, or HOME.")
	}
	return filepath.Join(dir, "octopus", "contexts.json"), nil
}

// readContexts returns the user's contexts; no file is no contexts.
func readContexts() (contexts, error) {
	c := contexts{Contexts: map[string]Context{}}
	path, err := contextsPath()
	if err != nil {
		return c, err
	}
	err = readJSON(path, &c)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if c.Contexts == nil {
		c.Contexts = map[string]Context{}
	}
	return c, err
}

func (c contexts) write() error {
	path, err := contextsPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	return writeJSON(path, c)
}

// WriteDevContext leaves the context "dev" in a data folder, for the commands that are started beside it.
func WriteDevContext(data string, c Context) error {
	c.Name = "dev"
	return writeJSON(filepath.Join(data, contextFile), c)
}

// devContext reads the context of a data folder.
func devContext(data string) (Context, error) {
	var c Context
	err := readJSON(filepath.Join(data, contextFile), &c)
	return c, err
}

// currentContext finds the server to talk to. In this order: --url, --context (a name or a folder), the data folder
// of octopus dev in the working directory, the context that `octopus context use` chose.
func (a *app) currentContext() (name string, c Context, err error) {
	switch {
	case a.flags.context != "":
		name = a.flags.context
		c, err = namedContext(name)
	case a.flags.url != "":
		name = a.flags.url
	default:
		name, c, err = defaultContext()
	}
	if err != nil {
		return "", Context{}, err
	}
	if a.flags.url != "" {
		if c.URL != a.flags.url {
			c = Context{URL: a.flags.url} // a token is for the server that made it
		}
	}
	if a.flags.apiToken != "" {
		c.APIToken = a.flags.apiToken
	}
	return name, c, nil
}

func namedContext(name string) (Context, error) {
	if strings.ContainsAny(name, `/\`) || name == "." {
		c, err := devContext(strings.TrimSuffix(name, contextFile))
		if errors.Is(err, fs.ErrNotExist) {
			return c, octopus.Errorf(octopus.CodeNotFound, "There is no context in %s: octopus dev writes one into its data folder.", name)
		}
		return c, err
	}
	all, err := readContexts()
	if err != nil {
		return Context{}, err
	}
	if c, ok := all.Contexts[name]; ok {
		return c, nil
	}
	if name == "dev" {
		if c, err := devContext(devFolder); err == nil {
			return c, nil
		}
	}
	return Context{}, octopus.Errorf(octopus.CodeNotFound, "There is no context %q; octopus context list shows them.", name)
}

func defaultContext() (string, Context, error) {
	c, err := devContext(devFolder)
	if err == nil {
		return "dev", c, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", c, err
	}
	all, err := readContexts()
	if err != nil {
		return "", c, err
	}
	if c, ok := all.Contexts[all.Current]; ok {
		return all.Current, c, nil
	}
	return "", c, usagef("No server is chosen. Start one with octopus dev, or sign in with octopus login URL.")
}

func readJSON(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s is not readable as JSON: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file at once, readable by its owner only.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".octopus-*") // 0600
	if err != nil {
		return fmt.Errorf("context file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(raw, '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("context file: %w", err)
	}
	return nil
}
