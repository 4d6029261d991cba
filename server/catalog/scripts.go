package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/javascript"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
	"octopus/wasmplugins/trial"
)

// The files of a script plugin, by which faults name them.
const (
	ScriptFile   = "plugin.js"
	ManifestFile = "plugin.yaml"
)

// Script is a plugin as its author writes it in JavaScript.
type Script struct {
	Source   string // plugin.js
	Manifest string // plugin.yaml
}

// Fault is something that is wrong with a script plugin, and where.
type Fault struct {
	File    string // ScriptFile or ManifestFile
	Line    int    // from 1; 0 where none can be told
	Path    string // in the manifest, as in actions[0].name
	Message string
}

const (
	draftTimeout = 60 * time.Second // of all that one look at a draft takes: the first one compiles the engine
	loadTimeout  = 5 * time.Second  // of a script's own top level
	// noAction is what no script exports: running it loads the script, and says which actions there are.
	noAction = "octopus:load"
)

// Name is what the manifest calls the plugin, "" where that cannot be read.
func (s Script) Name() string {
	var m struct{ Name string }
	if raw, err := manifest.JSON([]byte(s.Manifest)); err != nil || json.Unmarshal(raw, &m) != nil || len(m.Name) > 64 {
		return ""
	}
	return m.Name
}

// Pack puts script and manifest into the engine: the module that is submitted. Where they are wrong the error is
// CodeInvalid, with a field for each fault.
func (s Script) Pack() ([]byte, error) {
	packed, _, faults := s.read()
	if len(faults) > 0 {
		return nil, refuseScript(faults)
	}
	engine, err := javascript.Engine()
	if err != nil {
		return nil, err
	}
	module, err := wasmplugins.PackScript(engine, []byte(s.Source))
	if err == nil {
		module, err = wasmplugins.Pack(module, packed)
	}
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", sentence(err))
	}
	return module, nil
}

func refuseScript(faults []Fault) error {
	e := octopus.Errorf(octopus.CodeInvalid, "%s: %s", faults[0].place(), faults[0].Message)
	for _, f := range faults {
		e.Fields = append(e.Fields, octopus.FieldError{Field: "/" + f.place(), Message: f.Message})
	}
	return e
}

func (f Fault) place() string {
	if f.Line == 0 {
		return f.File
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}

// read is what can be said without running anything.
func (s Script) read() (packed []byte, m spec.Manifest, faults []Fault) {
	source := []byte(s.Manifest)
	packed, m, err := manifest.FromYAML(source)
	if err != nil {
		for _, f := range manifest.Faults(source, err) {
			faults = append(faults, Fault{ManifestFile, f.Line, f.Path, f.Message})
		}
	}
	for i, a := range m.Actions {
		if _, err := CompileParams(a.Params); err != nil {
			path := fmt.Sprintf("actions[%d].params", i)
			faults = append(faults, Fault{ManifestFile, manifest.Line(source, path), path, fmt.Sprintf("This schema is not usable: %v.", err)})
		}
	}
	if err := wasmplugins.CheckScriptSource([]byte(s.Source)); err != nil {
		faults = append(faults, Fault{File: ScriptFile, Message: sentence(err)})
	}
	return packed, m, faults
}

// CheckScript says all that is wrong with a script plugin, as far as loading it tells: the manifest, the syntax, what
// its top level does, and whether it exports what the manifest names. Nothing is an empty list.
func (c *Catalog) CheckScript(ctx context.Context, s Script) (faults []Fault, err error) {
	err = c.draft(ctx, func(ctx context.Context, p *wasmplugins.Pool, engine string) error {
		faults, err = c.checkScript(ctx, p, engine, s)
		return err
	})
	return faults, err
}

func (c *Catalog) checkScript(ctx context.Context, pool *wasmplugins.Pool, engine string, s Script) ([]Fault, error) {
	_, m, faults := s.read()
	if slices.ContainsFunc(faults, func(f Fault) bool { return f.File == ScriptFile }) {
		return faults, nil
	}
	request, err := json.Marshal(spec.Request{ABI: spec.ABI, Action: noAction, Execution: spec.RequestExecution{ID: "check", Run: "check", Attempt: 1}})
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	out := pool.Run(ctx, wasmplugins.Job{Digest: engine, Script: []byte(s.Source), Timeout: loadTimeout, Request: request}, trial.NewBroker(spec.Fakes{}))
	if err := failedHere(ctx, out); err != nil {
		return nil, err
	}
	exports, ok := exportsOf(out.Response)
	if !ok {
		return append(faults, scriptFault(out.Response)), nil
	}
	for i, a := range m.Actions {
		if !slices.Contains(exports, a.Name) && !slices.Contains(exports, camel(a.Name)) {
			path := fmt.Sprintf("actions[%d].name", i)
			faults = append(faults, Fault{ManifestFile, manifest.Line([]byte(s.Manifest), path), path,
				fmt.Sprintf("%s exports no function %s for this action.", ScriptFile, camel(a.Name))})
		}
	}
	return faults, nil
}

// failedHere is what is this server's failure, not the script's.
func failedHere(ctx context.Context, out wasmplugins.Outcome) error {
	switch {
	case ctx.Err() != nil:
		return octopus.Errorf(octopus.CodeUnavailable, "The sandbox was not done in time: this server is busy. Try again in a moment.")
	case out.Started.IsZero() && out.Err != nil:
		return fmt.Errorf("sandbox of drafts: %w", out.Err)
	}
	return nil
}

// exportsOf reads the engine's answer to [noAction].
func exportsOf(r spec.Response) (names []string, ok bool) {
	if r.Error == nil || r.Error.Code != "unknown_action" {
		return nil, false
	}
	if _, list, some := strings.Cut(r.Message, ", it has: "); some {
		names = strings.Split(strings.TrimSuffix(list, "."), ", ")
	}
	return names, true
}

var scriptPlace = regexp.MustCompile(`^plugin\.js:(\d+)(?::\d+)?: `)

// scriptFault is the response of a script that did not even load.
func scriptFault(r spec.Response) Fault {
	f := Fault{File: ScriptFile, Message: r.Message}
	if m := scriptPlace.FindStringSubmatch(r.Message); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // digits
		f.Message = strings.TrimPrefix(r.Message, m[0])
	}
	return f
}

// camel is how a script may call the action check-all: checkAll.
func camel(action string) string {
	parts := strings.FieldsFunc(action, func(r rune) bool { return r == '-' || r == '_' })
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

// TestScript runs the test cases of the manifest, as the checks of a submission do. With faults nothing is run.
func (c *Catalog) TestScript(ctx context.Context, s Script) (faults []Fault, checks []octopus.Check, err error) {
	err = c.draft(ctx, func(ctx context.Context, pool *wasmplugins.Pool, engine string) error {
		if faults, err = c.checkScript(ctx, pool, engine, s); err != nil || len(faults) > 0 {
			return err
		}
		_, m, _ := s.read()
		checks = runCases(ctx, pool, engine, []byte(s.Source), m)
		return nil
	})
	return faults, checks, err
}

// draft lends a sandbox for scripts: its folder stays, so that the engine is compiled once, and one author at a time
// has it, the others wait for their context.
func (c *Catalog) draft(ctx context.Context, use func(ctx context.Context, pool *wasmplugins.Pool, engine string) error) error {
	if c.sandbox.Dir == "" {
		return octopus.Errorf(octopus.CodeUnavailable, "This server has no sandbox in which to try a script.")
	}
	select {
	case c.drafts <- struct{}{}:
		defer func() { <-c.drafts }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	engine, err := javascript.Engine()
	if err != nil {
		return err
	}
	dir := filepath.Join(c.sandbox.Dir, draftFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("sandbox of drafts: %w", err)
	}
	digest := wasmplugins.Digest(engine)
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: dir, Executable: c.sandbox.Executable, MaxRunners: 1, Log: c.log,
		Load: func(_ context.Context, want string) ([]byte, error) {
			if want != digest {
				return nil, errors.New("no such module")
			}
			return engine, nil
		},
	})
	if err != nil {
		return fmt.Errorf("sandbox of drafts: %w", err)
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, draftTimeout)
	defer cancel()
	return use(ctx, pool, digest)
}

// draftFolder is where the engine lies compiled, in the sandbox's folder.
const draftFolder = "scripts"

// ScriptTemplates are scripts to begin with, the simplest first.
func ScriptTemplates() []javascript.Template { return javascript.Templates() }

var scriptName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

// ValidName reports whether a manifest may call a plugin so.
func ValidName(name string) bool { return scriptName.MatchString(name) }

// NewScript is a template's script under another name; false where there is no such template.
func NewScript(template, name string) (s Script, ok bool) {
	s.Source, s.Manifest, ok = javascript.Write(template, name)
	return s, ok
}

// Example is what to try a script with: the first test case of its manifest, as far as that can be read. The names of
// the actions come with it.
func (s Script) Example() (t Try, actions []string) {
	_, m, err := manifest.FromYAML([]byte(s.Manifest))
	if err != nil {
		return t, nil
	}
	for _, a := range m.Actions {
		actions = append(actions, a.Name)
	}
	t.Action = actions[0] // a valid manifest has one
	if len(m.Tests) > 0 {
		t.Action, t.Params = m.Tests[0].Action, m.Tests[0].Params
		if fakes, err := json.MarshalIndent(m.Tests[0].Fakes, "", "  "); err == nil && string(fakes) != "{}" {
			t.Fakes = string(fakes)
		}
	}
	return t, actions
}
