package policy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"octopus/sdk/spec"
)

// Bounds on what a policy names.
const (
	maxFolders  = 64
	maxCommands = 64
	maxPatterns = 32
	maxPattern  = 1024 // bytes
)

// files reads a list of directories: a path, or {path, mode}.
func (r *reader) files(n *yaml.Node) []spec.File {
	if n.Kind != yaml.SequenceNode || len(n.Content) > maxFolders {
		r.fail(n, "files must be a list such as [{path: /var/log, mode: ro}] of at most %d directories.", maxFolders)
		return nil
	}
	var out []spec.File
	for _, item := range n.Content {
		f := spec.File{Mode: "ro"}
		if item.Kind == yaml.ScalarNode {
			f.Path = item.Value
		} else {
			r.mapping(item, "files", func(key string, v *yaml.Node) bool {
				switch key {
				case "path":
					f.Path = v.Value
				case "mode":
					f.Mode = v.Value
				default:
					return false
				}
				return true
			})
		}
		r.capabilities(item, spec.Capabilities{Files: []spec.File{f}})
		out = append(out, f)
	}
	return out
}

// capabilities has something checked as a manifest's would be.
func (r *reader) capabilities(n *yaml.Node, c spec.Capabilities) {
	for _, p := range (spec.Manifest{Capabilities: c}).Validate() {
		if strings.HasPrefix(p.Path, "capabilities.") {
			r.fail(n, "%s", p.Message)
		}
	}
}

// env reads true, false, a list of names, or names with values; a name without a value has the agent's own.
func (r *reader) env(n *yaml.Node) Env {
	e := Env{Names: map[string]*string{}}
	switch n.Kind {
	case yaml.ScalarNode:
		e.All = r.boolean(n, "env")
		return e
	case yaml.MappingNode:
		r.mapping(n, "env", func(name string, v *yaml.Node) bool {
			r.variable(v, name)
			if e.Names[name] = nil; v.Tag != "!!null" {
				e.Names[name] = new(r.text(v, "env."+name))
			}
			return true
		})
	default:
		for i, name := range r.list(n) {
			r.variable(n.Content[i], name)
			e.Names[name] = nil
		}
	}
	return e
}

func (r *reader) variable(n *yaml.Node, name string) {
	if strings.HasPrefix(strings.ToUpper(name), ownPrefix) {
		r.fail(n, "%s is the agent's own; plugins never get variables that begin with %s.", name, ownPrefix)
	}
	r.capabilities(n, spec.Capabilities{Env: []string{name}})
}

// exec reads the commands by their names: a list of words, or a mapping.
func (r *reader) exec(n *yaml.Node) map[string]Command {
	out := map[string]Command{}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && n.Value == "false" {
		return out
	}
	if n.Kind != yaml.MappingNode || len(n.Content)/2 > maxCommands {
		r.fail(n, "exec must name commands, at most %d, such as {uptime: [/usr/bin/uptime]}.", maxCommands)
		return out
	}
	r.mapping(n, "exec", func(name string, v *yaml.Node) bool {
		if name == "*" {
			r.fail(v, "exec names each command; \"*\" is not one.")
		}
		r.capabilities(v, spec.Capabilities{Exec: []spec.Exec{{Name: name}}})
		out[name] = r.command(v, name)
		return true
	})
	return out
}

func (r *reader) command(n *yaml.Node, name string) Command {
	c := Command{Timeout: DefaultCommandTimeout, Output: DefaultCommandOutput}
	what := "exec." + name
	if n.Kind == yaml.SequenceNode {
		c.Argv = r.list(n)
	} else {
		r.mapping(n, what, func(key string, v *yaml.Node) bool { return r.commandField(&c, what, key, v) })
	}
	switch {
	case len(c.Argv) == 0:
		r.fail(n, "%s must name a program, such as [/usr/bin/uptime].", what)
	case !filepath.IsAbs(c.Argv[0]):
		r.fail(n, "%s: the program %q must be an absolute path.", what, c.Argv[0])
	}
	if slices.ContainsFunc(slices.Concat(c.Argv, c.Env, []string{c.Dir}), func(s string) bool { return strings.ContainsRune(s, 0) }) {
		r.fail(n, "%s: there must be no NUL in it.", what)
	}
	return c
}

func (r *reader) commandField(c *Command, what, key string, v *yaml.Node) bool {
	switch key {
	case "command":
		c.Argv = r.list(v)
	case "args":
		c.Args = r.patterns(v, what)
	case "dir":
		if c.Dir = v.Value; !filepath.IsAbs(c.Dir) {
			r.fail(v, "%s.dir must be an absolute path.", what)
		}
	case "env":
		r.mapping(v, what+".env", func(name string, v *yaml.Node) bool {
			if name == "" || strings.Contains(name, "=") {
				r.fail(v, "%s.env: %q is not the name of a variable.", what, name)
			}
			c.Env = append(c.Env, name+"="+r.text(v, what+".env."+name))
			return true
		})
	case "timeout":
		d, err := time.ParseDuration(v.Value)
		if err != nil || d <= 0 {
			r.fail(v, "%s.timeout must be a duration such as 5m.", what)
		}
		c.Timeout = d
	case "output":
		size, err := spec.ParseSize(v.Value)
		if err != nil || size <= 0 || size > MaxCommandOutput {
			r.fail(v, "%s.output must be a size such as 1MiB, at most %s.", what, spec.Size(MaxCommandOutput))
		}
		c.Output = int64(size)
	default:
		return false
	}
	return true
}

// patterns reads regular expressions, each of which stands for a whole argument.
func (r *reader) patterns(n *yaml.Node, what string) []*regexp.Regexp {
	list := r.list(n)
	if len(list) > maxPatterns {
		r.fail(n, "%s.args has more than %d patterns.", what, maxPatterns)
		return nil
	}
	var out []*regexp.Regexp
	for i, text := range list {
		_, alone := regexp.Compile(text) // "a)|(b" is wrong by itself, and would be anchored at one end only
		p, err := regexp.Compile(`\A(?:` + text + `)\z`)
		if alone != nil || err != nil || len(text) > maxPattern {
			r.fail(n.Content[i], "%s.args: %q is not a regular expression such as \"[a-z]+\".", what, text)
			continue
		}
		out = append(out, p)
	}
	return out
}

// script reads true, false, or a list of interpreters.
func (r *reader) script(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		if r.boolean(n, "script") {
			return []string{"*"}
		}
		return nil
	}
	list := r.list(n)
	if len(list) > 0 {
		r.capabilities(n, spec.Capabilities{Script: &spec.Script{Interpreters: list}})
	}
	return list
}

// text reads one value that is not a list or a mapping, as it is written.
func (r *reader) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "%s must be one value.", what)
	}
	return n.Value
}
