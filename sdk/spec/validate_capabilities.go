package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// hostFacts are what host.info can tell.
var hostFacts = []string{"os", "cpu", "memory", "disks", "load", "*"}

func (p *problems) capabilities(c Capabilities) {
	if c.HTTP != nil {
		p.hosts("capabilities.http", c.HTTP.Hosts, webPorts, c.HTTP.Addresses)
		for i, m := range c.HTTP.Methods {
			if m == "" || strings.ContainsAny(m, " \t\r\n") || m != strings.ToUpper(m) {
				p.add(fmt.Sprintf("capabilities.http.methods[%d]", i), "%q is not a method such as \"GET\".", m)
			}
		}
	}
	if c.Net != nil {
		p.hosts("capabilities.net", c.Net.Hosts, 0, c.Net.Addresses)
	}
	for i, fact := range c.Host {
		if !slices.Contains(hostFacts, fact) {
			p.add(fmt.Sprintf("capabilities.host[%d]", i), "There is no host fact %q; there are %s.", fact, strings.Join(hostFacts[:5], ", "))
		}
	}
	for i, s := range c.Secrets {
		at := fmt.Sprintf("capabilities.secrets[%d].", i)
		p.name(at+"name", s.Name)
		if !slices.Contains([]string{"", "header", "value"}, s.Expose) {
			p.add(at+"expose", "A secret is exposed as header or value, not %q.", s.Expose)
		}
		if s.Bind != "" {
			p.add(at+"bind", "Which stored secret is meant is for the administrator who grants it to say.")
		}
		if slices.ContainsFunc(c.Secrets[:i], func(other Secret) bool { return other.Name == s.Name }) {
			p.add(at+"name", "The secret %s is named twice.", s.Name)
		}
	}
	p.files(c.Files)
	for i, name := range c.Env {
		p.name(fmt.Sprintf("capabilities.env[%d]", i), name)
	}
	p.programs(c)
	for i, name := range c.UserParams {
		p.name(fmt.Sprintf("capabilities.user_params[%d]", i), name)
	}
}

// programs checks what runs outside the sandbox.
func (p *problems) programs(c Capabilities) {
	for i, e := range c.Exec {
		if e.Name != "*" {
			p.name(fmt.Sprintf("capabilities.exec[%d].name", i), e.Name)
		}
	}
	if c.Script == nil {
		return
	}
	if len(c.Script.Interpreters) == 0 {
		p.add("capabilities.script.interpreters", "Name at least one interpreter, or \"*\" for any that the agent knows.")
	}
	for i, name := range c.Script.Interpreters {
		if name != "*" {
			p.name(fmt.Sprintf("capabilities.script.interpreters[%d]", i), name)
		}
	}
}

func (p *problems) name(at, name string) {
	if !plainName.MatchString(name) {
		p.add(at, "%q is not a name of letters, digits, dots, dashes and underscores.", name)
	}
}

func (p *problems) hosts(at string, hosts []string, bare int, addresses []string) {
	if len(hosts) == 0 {
		p.add(at+".hosts", "Name at least one host, or \"*\" for any.")
	}
	for i, h := range hosts {
		if _, err := parseHost(h, bare); err != nil {
			p.add(fmt.Sprintf("%s.hosts[%d]", at, i), "%s.", err)
		}
	}
	for i, a := range addresses {
		for term := range strings.SplitSeq(a, "&") {
			if _, err := parseCIDR(term); err != nil && !slices.Contains([]string{Public, Private, Loopback}, term) {
				p.add(fmt.Sprintf("%s.addresses[%d]", at, i), "%s.", err)
			}
		}
	}
}

func (p *problems) files(list []File) {
	for i, f := range list {
		at := fmt.Sprintf("capabilities.files[%d].", i)
		windows := len(f.Path) >= 3 && f.Path[1] == ':'
		if !path.IsAbs(f.Path) && !windows || slices.Contains(strings.FieldsFunc(f.Path, func(r rune) bool { return r == '/' || r == '\\' }), "..") {
			p.add(at+"path", "%q is not an absolute path without \"..\".", f.Path)
		}
		if !slices.Contains([]string{"", "ro", "rw"}, f.Mode) {
			p.add(at+"mode", "A mode is ro or rw, not %q.", f.Mode)
		}
	}
}
