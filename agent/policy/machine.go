package policy

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"octopus/sdk/spec"
)

// Defaults and ceilings of a command that the owner named.
const (
	DefaultCommandTimeout = 30 * time.Second
	DefaultCommandOutput  = 1 << 20 // bytes, of standard output and of standard error each
	MaxCommandOutput      = 4 << 20
)

// Command is a program that plugins may have run here, outside the sandbox, with the rights of the agent's user.
type Command struct {
	// Argv is the program, an absolute path, and the arguments that are always given.
	Argv []string
	// Args are what plugins may add: each argument must match one of them as a whole. Empty: none may be added.
	Args []*regexp.Regexp
	// Dir is where it runs. Defaults to the root folder.
	Dir string
	// Env is set for it, NAME=value, beside a PATH. Nothing of the agent's own environment is.
	Env []string
	// Timeout ends it, with all that it started. Defaults to DefaultCommandTimeout.
	Timeout time.Duration
	// Output is how much of its output is kept, in bytes. Defaults to DefaultCommandOutput.
	Output int64
}

// Refused finds an argument that a plugin may not add; false when all are allowed.
func (c Command) Refused(args []string) (arg string, refused bool) {
	for _, arg := range args {
		if !slices.ContainsFunc(c.Args, func(r *regexp.Regexp) bool { return r.MatchString(arg) }) {
			return arg, true
		}
	}
	return "", false
}

// Env are the environment variables that plugins may be given. A nil map and not All gives none.
type Env struct {
	All   bool               // as granted
	Names map[string]*string // nil: as in the agent's own environment
}

// Open is a policy for tools on one's own machine: it restricts nothing but files and commands, which it names.
func Open(files []spec.File, commands map[string]Command) *Policy {
	return &Policy{FileOutputs: true, Capabilities: &Capabilities{
		HTTP: &Web{}, Net: &Web{}, Host: []string{"*"}, KV: true, Files: files, Exec: commands,
		Env: Env{All: true}, Script: []string{"*"},
	}}
}

// Files are the directories that plugins may be given. Without a policy that names some there are none.
func (p *Policy) Files() []spec.File {
	if p == nil || p.Capabilities == nil {
		return nil
	}
	return p.Capabilities.Files
}

// Command finds a command by its name.
func (p *Policy) Command(name string) (Command, bool) {
	if p == nil || p.Capabilities == nil {
		return Command{}, false
	}
	c, ok := p.Capabilities.Exec[name]
	return c, ok
}

// Commands are the names of the commands that the owner allows, in order.
func (p *Policy) Commands() []string {
	if p == nil || p.Capabilities == nil {
		return nil
	}
	var names []string
	for name := range p.Capabilities.Exec {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Interpreter says whether scripts of an interpreter may run, on an agent that was started to run scripts at all.
func (p *Policy) Interpreter(name string) bool {
	if p == nil || p.Capabilities == nil {
		return true
	}
	return slices.Contains(p.Capabilities.Script, "*") || slices.Contains(p.Capabilities.Script, name)
}

// ownPrefix begins the names of the agent's own settings, which may be secrets: no plugin ever gets them.
const ownPrefix = "OCTOPUS_"

// Environment is what of the granted names a plugin gets, NAME=value. A name that has no value here is left out.
func (p *Policy) Environment(granted []string) []string {
	var out []string
	for _, name := range granted {
		if strings.HasPrefix(strings.ToUpper(name), ownPrefix) {
			continue
		}
		if value, ok := p.variable(name); ok && !strings.ContainsRune(value, 0) {
			out = append(out, name+"="+value)
		}
	}
	return out
}

func (p *Policy) variable(name string) (string, bool) {
	if p == nil || p.Capabilities == nil || p.Capabilities.Env.All {
		return os.LookupEnv(name)
	}
	value, ok := p.Capabilities.Env.Names[name]
	if !ok {
		return "", false
	}
	if value == nil {
		return os.LookupEnv(name)
	}
	return *value, true
}
