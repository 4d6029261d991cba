package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// inspection is what `plugins inspect` tells of a module.
type inspection struct {
	File      string         `json:"file"`
	Digest    string         `json:"digest"`
	Size      int            `json:"size"`
	Functions int            `json:"functions,omitempty"`
	Imports   []string       `json:"imports,omitempty"`
	Memory    uint64         `json:"memory_bytes,omitempty"`
	Script    int            `json:"script_bytes,omitempty"` // of a script plugin
	Manifest  *spec.Manifest `json:"manifest,omitempty"`
	Problems  []string       `json:"problems,omitempty"` // why a server would refuse it
}

func (a *app) pluginInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Show what a module is and may ask for, without running it",
		Args:  exactly("FILE.wasm"),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			report := inspect(m)
			if err := a.print(report, func(t *tabwriter.Writer) { report.table(t) }); err != nil {
				return err
			}
			if len(report.Problems) > 0 {
				return exitError{code: ExitFailed}
			}
			return nil
		},
	}
}

func inspect(m module) inspection {
	report := inspection{File: m.file, Digest: wasmplugins.Digest(m.bytes), Size: len(m.bytes), Manifest: m.manifest}
	var memory uint64
	if m.manifest != nil {
		memory = uint64(m.manifest.Limits.Memory)
		for _, p := range m.manifest.Validate() {
			report.Problems = append(report.Problems, p.Path+": "+p.Message)
		}
	} else {
		report.Problems = append(report.Problems, wasmplugins.ErrNoManifest.Error())
	}
	info, err := wasmplugins.Check(m.bytes, memory)
	if err != nil {
		report.Problems = append(report.Problems, refusal(err))
		return report
	}
	report.Functions, report.Imports, report.Memory = info.Functions, info.Imports, info.MemoryMin
	if script, err := wasmplugins.ScriptOf(m.bytes); err == nil {
		report.Script = len(script)
	}
	return report
}

func refusal(err error) string {
	if r, ok := errors.AsType[*wasmplugins.Refusal](err); ok {
		return r.Message
	}
	return err.Error()
}

func (r inspection) table(t *tabwriter.Writer) {
	if m := r.Manifest; m != nil {
		row(t, "Plugin", m.Name+" "+m.Version)
		row(t, "Description", dash(m.Description))
		row(t, "Author", dash(m.Author))
		row(t, "Licence", dash(m.License))
	}
	row(t, "Digest", r.Digest)
	row(t, "Size", fmt.Sprintf("%d bytes, %d functions", r.Size, r.Functions))
	if r.Script > 0 {
		row(t, "Script", fmt.Sprintf("%d bytes of JavaScript", r.Script))
	}
	if r.Manifest != nil {
		r.actions(t, r.Manifest.Actions)
		r.capabilities(t, r.Manifest.Capabilities)
	}
	for _, p := range r.Problems {
		row(t, "Problem", p)
	}
	if len(r.Problems) == 0 {
		row(t, "Checks", "passed")
	}
}

func (r inspection) actions(t *tabwriter.Writer, actions []spec.Action) {
	for _, action := range actions {
		words := append([]string{action.Name}, parameters(action.Params)...)
		if action.Idempotent {
			words = append(words, "(idempotent)")
		}
		row(t, "Action", strings.Join(words, " "))
	}
}

// capabilities lists what the plugin wants to be granted, with its reasons.
func (r inspection) capabilities(t *tabwriter.Writer, c spec.Capabilities) {
	asksFor(t, c)
	if c.Unsandboxed() {
		row(t, "Unsandboxed", "it may run programs outside the sandbox, with the rights of the agent's user")
	}
	if c.Script != nil && c.Script.Reason != "" {
		row(t, "Reason", c.Script.Reason)
	}
	if c.HTTP != nil && c.HTTP.Reason != "" {
		row(t, "Reason", c.HTTP.Reason)
	}
	if c.Net != nil && c.Net.Reason != "" {
		row(t, "Reason", c.Net.Reason)
	}
	if c.KV != nil && c.KV.Reason != "" {
		row(t, "Reason", c.KV.Reason)
	}
}

// parameters names the parameters of a schema as a command line would: url=<string> [method=GET].
func parameters(schema json.RawMessage) []string {
	var s struct {
		Required   []string          `json:"required"`
		Properties orderedProperties `json:"properties"`
	}
	if json.Unmarshal(schema, &s) != nil {
		return nil
	}
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	var out []string
	for _, p := range s.Properties {
		text := p.name + "=<" + p.kind() + ">"
		if !required[p.name] {
			text = "[" + text + "]"
		}
		out = append(out, text)
	}
	return out
}

// orderedProperties keeps the order in which an author wrote parameters.
type orderedProperties []property

type property struct {
	name string
	Type any `json:"type"`
}

func (p property) kind() string {
	if text, ok := p.Type.(string); ok {
		return text
	}
	return "value"
}

// UnmarshalJSON reads an object member by member.
func (o *orderedProperties) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		p := property{name: fmt.Sprint(key)}
		if err := dec.Decode(&p); err != nil {
			return err
		}
		*o = append(*o, p)
	}
	return nil
}
