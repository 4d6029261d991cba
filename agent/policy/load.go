package policy

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

const maxFile = 64 << 10 // bytes: it travels in the facts of every hello

// Load reads a policy file. The error is for people, names the file, and has every problem with its line.
func Load(file string) (*Policy, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The policy file cannot be read: %v.", err)
	}
	p, err := Parse(raw)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The policy file %s is wrong, so nothing runs here: %s", file, err)
	}
	return p, nil
}

// Parse reads the text of a policy.
func Parse(raw []byte) (*Policy, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("it is larger than %d KiB", maxFile>>10)
	}
	p := &Policy{Text: string(raw), FileOutputs: true}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return p, nil // empty, or nothing but comments
	}
	var r reader
	r.mapping(doc.Content[0], "the policy", func(key string, v *yaml.Node) bool { return r.top(p, key, v) })
	if len(r.problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(r.problems, " "))
	}
	return p, nil
}

// reader collects problems with their lines.
type reader struct{ problems []string }

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf("Line %d: %s", n.Line, fmt.Sprintf(format, args...)))
}

// mapping calls field for each key once; false from it means that the key is not known.
func (r *reader) mapping(n *yaml.Node, what string, field func(string, *yaml.Node) bool) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s must be a list of key: value.", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case seen[key.Value]:
			r.fail(key, "%s appears twice.", key.Value)
		case !field(key.Value, n.Content[i+1]):
			r.fail(key, "%s has no key %q.", what, key.Value)
		}
		seen[key.Value] = true
	}
}

func (r *reader) top(p *Policy, key string, v *yaml.Node) bool {
	switch key {
	case "plugins":
		p.Plugins = r.list(v)
		for _, pattern := range p.Plugins {
			if _, err := path.Match(pattern, ""); err != nil {
				r.fail(v, "%q is not a plugin's name or a pattern such as \"disk-*\".", pattern)
			}
		}
	case "capabilities":
		p.Capabilities = &Capabilities{}
		r.mapping(v, "capabilities", func(key string, v *yaml.Node) bool { return r.capability(p.Capabilities, key, v) })
	case "max_memory":
		size, err := spec.ParseSize(v.Value)
		if err != nil || size <= 0 {
			r.fail(v, "max_memory must be a size such as 128MiB.")
		}
		p.MaxMemory = uint64(max(size, 0))
	case "max_timeout":
		d, err := time.ParseDuration(v.Value)
		if err != nil || d <= 0 {
			r.fail(v, "max_timeout must be a duration such as 5m.")
		}
		p.MaxTimeout = d
	case "file_outputs":
		p.FileOutputs = r.boolean(v, key)
	case "sandbox":
		p.Sandbox = v.Value
		if !slices.Contains(levels, v.Value) {
			r.fail(v, "sandbox must be one of %s.", strings.Join(levels, ", "))
		}
	default:
		return false
	}
	return true
}

func (r *reader) capability(c *Capabilities, key string, v *yaml.Node) bool {
	switch key {
	case "http":
		c.HTTP = r.web(v, key)
	case "net":
		c.Net = r.web(v, key)
	case "host":
		c.Host = r.host(v)
	case "kv":
		c.KV = r.boolean(v, key)
	case "secrets":
		c.Secrets = r.names(v, key)
	case "user_params":
		c.UserParams = r.names(v, key)
	case "cache":
		r.fail(v, "cache needs no permission: it is the plugin's own corner of the server.")
	case "files":
		c.Files = r.files(v)
	case "env":
		c.Env = r.env(v)
	case "exec":
		c.Exec = r.exec(v)
	case "script":
		c.Script = r.script(v)
	default:
		return false
	}
	return true
}

// web reads true, false, or the restrictions of http and net.
func (r *reader) web(n *yaml.Node, key string) *Web {
	if n.Kind == yaml.ScalarNode {
		if r.boolean(n, key) {
			return &Web{}
		}
		return nil
	}
	w := &Web{}
	r.mapping(n, key, func(field string, v *yaml.Node) bool {
		switch field {
		case "hosts":
			w.Hosts = r.checked(v, key+".hosts")
		case "addresses":
			w.Addresses = r.checked(v, key+".addresses")
		case "methods":
			w.Methods = r.list(v)
			for i, m := range w.Methods {
				w.Methods[i] = strings.ToUpper(m)
			}
			return key == "http"
		default:
			return false
		}
		return true
	})
	return w
}

// checked reads a list of hosts or addresses and has each one checked as a manifest's would be.
func (r *reader) checked(n *yaml.Node, what string) []string {
	list := r.list(n)
	for i, entry := range list {
		rule := &spec.Net{Hosts: []string{"*"}}
		if strings.HasSuffix(what, "hosts") {
			rule.Hosts = []string{entry}
		} else {
			rule.Addresses = []string{entry}
		}
		for _, p := range (spec.Manifest{Capabilities: spec.Capabilities{Net: rule}}).Validate() {
			if strings.HasPrefix(p.Path, "capabilities.") {
				r.fail(n.Content[i], "%s", p.Message)
			}
		}
	}
	return list
}

func (r *reader) host(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		if r.boolean(n, "host") {
			return []string{"*"}
		}
		return nil
	}
	list := r.list(n)
	for _, p := range (spec.Manifest{Capabilities: spec.Capabilities{Host: list}}).Validate() {
		if strings.HasPrefix(p.Path, "capabilities.") {
			r.fail(n, "%s", p.Message)
		}
	}
	return list
}

// list reads a list of strings. It is never nil: an empty list allows nothing.
func (r *reader) list(n *yaml.Node) []string {
	out := []string{}
	if n.Kind != yaml.SequenceNode || n.Decode(&out) != nil {
		r.fail(n, "this must be a list such as [a, b].")
		return []string{}
	}
	return out
}

func (r *reader) boolean(n *yaml.Node, key string) (v bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(&v) != nil {
		r.fail(n, "%s must be true or false.", key)
	}
	return v
}
