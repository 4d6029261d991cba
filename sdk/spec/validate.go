package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxManifest is the size in bytes that a manifest may have.
const MaxManifest = 1 << 20

// Ceilings of a manifest's limits.
const (
	MaxTimeout = 15 * time.Minute
	MaxMemory  = 512 << 20
	MaxStdout  = 64 << 20
)

// Patterns of the names in a manifest.
var (
	pluginName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)
	actionName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	plainName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	semverShape = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
)

// DecodeManifest reads a manifest. Unknown fields and duplicate keys are
// errors, because a misspelled limit must not be lost. Validate checks what
// it says.
func DecodeManifest(raw []byte) (Manifest, error) {
	var m Manifest
	if len(raw) > MaxManifest {
		return m, fmt.Errorf("The manifest is %d bytes long; at most %d are allowed.", len(raw), MaxManifest)
	}
	end, bad := scan(raw)
	if bad != nil {
		return m, fmt.Errorf("The manifest %s, at byte %d.", bad.text, bad.offset)
	}
	if rest := bytes.TrimSpace(raw[end:]); len(rest) > 0 {
		return m, fmt.Errorf("The manifest goes on after its end with %s.", quoted(rest))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("The manifest cannot be read: %s.", strings.TrimPrefix(err.Error(), "json: "))
	}
	if key := inexact(raw[:end], reflect.TypeFor[Manifest]()); key != "" {
		return Manifest{}, fmt.Errorf("The manifest cannot be read: the key %q is not written as it must be. Mind upper and lower case.", key)
	}
	if name, ok := zeroClock(raw[:end]); ok {
		return Manifest{}, fmt.Errorf("The manifest cannot be read: the clock of the test %q must be between the years 1678 and 2261.", name)
	}
	return m, nil
}

// zeroClock finds a test whose clock says what a [Test] without one has: the
// test would run by the real clock, and nobody would know.
func zeroClock(raw []byte) (name string, found bool) {
	var m struct {
		Tests []struct {
			Name  string
			Clock *time.Time
		}
	}
	if json.Unmarshal(raw, &m) != nil {
		return "", false
	}
	for _, t := range m.Tests {
		if t.Clock != nil && t.Clock.IsZero() {
			return t.Name, true
		}
	}
	return "", false
}

// problems collects what Validate finds.
type problems []Problem

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Validate returns every problem at once; nil means the manifest is sound.
// Whether params, result and config are sound JSON Schemas is the caller's to
// check: this package has no schema compiler.
func (m Manifest) Validate() []Problem {
	var p problems
	if m.Schema != ManifestSchema {
		p.add("schema", "The schema must be %q.", ManifestSchema)
	}
	if m.ABI != ABI {
		p.add("abi", "The abi must be %d.", ABI)
	}
	if !pluginName.MatchString(m.Name) {
		p.add("name", "The name must be 2 to 63 lower-case letters, digits and dashes, as in \"http-check\".")
	}
	if len(m.Version) > 128 || !semverShape.MatchString(m.Version) {
		p.add("version", "The version must be a semantic version, as in \"1.2.0\".")
	}
	p.short("description", m.Description)
	p.short("author", m.Author)
	p.short("license", m.License)
	p.short("homepage", m.Homepage)
	p.actions(m.Actions)
	p.schema("config", m.Config)
	p.limits(m.Limits)
	p.capabilities(m.Capabilities)
	p.secretActions(m)
	p.tests(m)
	return p
}

func (p *problems) short(path, text string) {
	if len(text) > 4096 {
		p.add(path, "The %s is %d bytes long; at most 4096 are allowed.", path, len(text))
	}
}

func (p *problems) schema(path string, raw json.RawMessage) {
	text := bytes.TrimSpace(raw)
	if len(text) > 0 && text[0] != '{' && string(text) != "true" && string(text) != "null" {
		p.add(path, "A schema must be a JSON Schema object.")
	}
}

func (p *problems) actions(list []Action) {
	if len(list) == 0 {
		p.add("actions", "Name at least one action.")
	}
	if len(list) > 100 {
		p.add("actions", "There are %d actions; at most 100 are allowed.", len(list))
		return
	}
	var seen []string
	for i, a := range list {
		at := fmt.Sprintf("actions[%d].", i)
		if !actionName.MatchString(a.Name) {
			p.add(at+"name", "An action's name must begin with a letter and have at most 63 letters, digits, dashes and underscores.")
		}
		if slices.Contains(seen, a.Name) {
			p.add(at+"name", "The action %q appears twice.", a.Name)
		}
		seen = append(seen, a.Name)
		p.schema(at+"params", a.Params)
		p.schema(at+"result", a.Result)
		if len(a.Examples) > 100 {
			p.add(at+"examples", "There are %d examples; at most 100 are allowed.", len(a.Examples))
		}
	}
}

func (p *problems) limits(l Limits) {
	if time.Duration(l.Timeout) > MaxTimeout {
		p.add("limits.timeout", "The timeout is %s; at most %s is allowed.", l.Timeout, MaxTimeout)
	}
	if l.Memory > MaxMemory {
		p.add("limits.memory", "The memory is %s; at most %s is allowed.", l.Memory, Size(MaxMemory))
	}
	if l.Memory > 0 && l.Memory < 64<<10 {
		p.add("limits.memory", "The memory is %s; a wasm page is 64KiB.", l.Memory)
	}
	if l.Stdout > MaxStdout {
		p.add("limits.stdout", "The stdout is %s; at most %s is allowed.", l.Stdout, Size(MaxStdout))
	}
}

func (p *problems) secretActions(m Manifest) {
	for i, s := range m.Capabilities.Secrets {
		for j, name := range s.Actions {
			if _, ok := m.Action(name); !ok {
				p.add(fmt.Sprintf("capabilities.secrets[%d].actions[%d]", i, j), "There is no action %q.", name)
			}
		}
	}
}

func (p *problems) tests(m Manifest) {
	for i, t := range m.Tests {
		at := fmt.Sprintf("tests[%d].", i)
		if t.Name == "" {
			p.add(at+"name", "A test needs a name.")
		}
		if _, ok := m.Action(t.Action); !ok {
			p.add(at+"action", "There is no action %q.", t.Action)
		}
	}
}
