// Package policy reads the file in which an agent's owner has the last word on what plugins may do there.
//
//	plugins: [http-check, "disk-*"]     # default: every plugin
//	capabilities:                       # default: whatever was granted; with this key only what is named
//	  http: {hosts: ["*.example.com:443"], addresses: [public], methods: [GET]}
//	  net: true                         # as granted
//	  host: [os, load]
//	  kv: false
//	  files: [{path: /var/log, mode: ro}]
//	  env: {TZ: Europe/Berlin, HTTP_PROXY: null}   # null: the agent's own value
//	  exec:                             # commands by the names that plugins call them
//	    uptime: [/usr/bin/uptime]
//	    restart: {command: [/usr/bin/systemctl, restart], args: ["web-[0-9]+"], timeout: 1m}
//	  script: [sh]                      # on an agent that was started with --allow-scripts
//	  secrets: [api_token]              # as manifests call them; true for all
//	  user_params: true
//	max_memory: 128MiB
//	max_timeout: 5m
//	file_outputs: false
//	sandbox: full                       # the least level: full, filtered, process or basic
package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"octopus/sdk/spec"
)

// Policy is the owner's word. The nil policy restricts nothing that was granted, except exec and files, which no
// agent does without a policy that names them, and scripts, which it does only when it was started to.
type Policy struct {
	Text         string        // the file as it was read
	Plugins      []string      // glob patterns; nil: every plugin
	Capabilities *Capabilities // nil: whatever was granted
	MaxMemory    uint64        // bytes; 0: no bound
	MaxTimeout   time.Duration // 0: no bound
	FileOutputs  bool
	Sandbox      string // least level, "" for any
}

// Capabilities are what plugins may be allowed to do here. A nil field is denied.
type Capabilities struct {
	HTTP *Web
	Net  *Web
	Host []string // "*" for all
	KV   bool

	Files  []spec.File
	Env    Env
	Exec   map[string]Command
	Script []string // interpreters, "*" for all

	Secrets    []string // by the names in manifests; "*" for all
	UserParams []string // categories; "*" for all
}

// Web restricts http.fetch, and tcp.probe with dns.lookup. A nil list restricts nothing.
type Web struct {
	Hosts     []string
	Addresses []string
	Methods   []string // of http.fetch
}

// levels of the sandbox, the best first.
var levels = []string{"full", "filtered", "process", "basic"}

// AllowsPlugin says whether a plugin may run here at all.
func (p *Policy) AllowsPlugin(name string) bool {
	if p == nil || p.Plugins == nil {
		return true
	}
	return slices.ContainsFunc(p.Plugins, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// Refusal says why an execution may not run here; "" when it may.
func (p *Policy) Refusal(plugin string, memory uint64, timeout time.Duration) string {
	switch {
	case p == nil:
		return ""
	case !p.AllowsPlugin(plugin):
		return fmt.Sprintf("The owner of this agent does not allow the plugin %s.", plugin)
	case p.MaxMemory > 0 && memory > p.MaxMemory:
		return fmt.Sprintf("The owner of this agent allows %s of memory; %s asks for %s.",
			spec.Size(p.MaxMemory), plugin, spec.Size(memory))
	case p.MaxTimeout > 0 && timeout > p.MaxTimeout:
		return fmt.Sprintf("The owner of this agent allows a timeout of %s; this one is %s.", p.MaxTimeout, timeout)
	}
	return ""
}

// SandboxRefusal says why a level of containment is not enough; "" when it is.
func (p *Policy) SandboxRefusal(level string) string {
	if p == nil || p.Sandbox == "" {
		return ""
	}
	have, want := slices.Index(levels, level), slices.Index(levels, p.Sandbox)
	if have >= 0 && have <= want {
		return ""
	}
	return fmt.Sprintf("The owner of this agent asks for the sandbox level %s; this machine reaches %s.", p.Sandbox, level)
}

// AllowsFiles says whether plugins may leave files in their task's output folder.
func (p *Policy) AllowsFiles() bool { return p == nil || p.FileOutputs }

// HTTP says whether http.fetch may call host:port with a method.
func (p *Policy) HTTP(host string, port int, method string) bool {
	if p == nil || p.Capabilities == nil {
		return true
	}
	w := p.Capabilities.HTTP
	if w == nil {
		return false
	}
	rule := spec.HTTP{Hosts: orAny(w.Hosts), Methods: orAny(w.Methods)}
	return rule.Allows(host, port, method)
}

// Net says whether tcp.probe may reach host:port, or dns.lookup ask for host (port 0).
func (p *Policy) Net(host string, port int) bool {
	if p == nil || p.Capabilities == nil {
		return true
	}
	w := p.Capabilities.Net
	if w == nil {
		return false
	}
	rule := spec.Net{Hosts: orAny(w.Hosts)}
	return rule.Allows(host, port)
}

// HTTPAddresses and NetAddresses are the classes that a connection may end at; nil restricts nothing.
func (p *Policy) HTTPAddresses() []string {
	if p == nil || p.Capabilities == nil || p.Capabilities.HTTP == nil {
		return nil
	}
	return p.Capabilities.HTTP.Addresses
}

// NetAddresses is as HTTPAddresses, for tcp.probe.
func (p *Policy) NetAddresses() []string {
	if p == nil || p.Capabilities == nil || p.Capabilities.Net == nil {
		return nil
	}
	return p.Capabilities.Net.Addresses
}

// Host says whether host.info may tell a part.
func (p *Policy) Host(part string) bool {
	if p == nil || p.Capabilities == nil {
		return true
	}
	return slices.Contains(p.Capabilities.Host, "*") || slices.Contains(p.Capabilities.Host, part)
}

// KV says whether plugins may use the key-value store from here.
func (p *Policy) KV() bool { return p == nil || p.Capabilities == nil || p.Capabilities.KV }

// String is the text of the file, "" for the nil policy.
func (p *Policy) String() string {
	if p == nil {
		return ""
	}
	return strings.TrimSpace(p.Text)
}

func orAny(list []string) []string {
	if list == nil {
		return []string{"*"}
	}
	return list
}
