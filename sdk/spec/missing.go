package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Missing says, one phrase each, what c asks for and granted does not cover,
// as in "http to any host". Nothing missing is nil.
func (c Capabilities) Missing(granted Capabilities) []string {
	var out []string
	out = append(out, missingHTTP(c.HTTP, granted.HTTP)...)
	out = append(out, missingNet(c.Net, granted.Net)...)
	out = append(out, missingNames("host facts: %s", c.Host, granted.Host)...)
	for _, s := range c.Secrets {
		i := slices.IndexFunc(granted.Secrets, func(g Secret) bool { return g.Name == s.Name })
		switch {
		case i < 0:
			out = append(out, "the secret "+s.Name)
		case s.MayRead() && !granted.Secrets[i].MayRead():
			out = append(out, "to read the value of the secret "+s.Name)
		}
	}
	out = append(out, missingKV(c.KV, granted.KV)...)
	for _, f := range c.Files {
		if !slices.ContainsFunc(granted.Files, func(g File) bool {
			return under(f.Path, g.Path) && (g.Writable() || !f.Writable())
		}) {
			verb := "to read files under "
			if f.Writable() {
				verb = "to read and write files under "
			}
			out = append(out, verb+f.Path)
		}
	}
	out = append(out, missingNames("the environment variable %s", c.Env, granted.Env)...)
	out = append(out, missingExec(execNames(c.Exec), execNames(granted.Exec))...)
	out = append(out, missingScript(c.Script, granted.Script)...)
	return append(out, missingNames("the user's %s", c.UserParams, granted.UserParams)...)
}

func missingNames(format string, want, granted []string) []string {
	var out []string
	for _, name := range want {
		if !slices.Contains(granted, name) && !slices.Contains(granted, "*") {
			out = append(out, fmt.Sprintf(format, name))
		}
	}
	return out
}

// missingExec names commands. "*" is a sentence of its own.
func missingExec(want, granted []string) []string {
	if slices.Contains(want, "*") && !slices.Contains(granted, "*") {
		return []string{"to run any command that the agent's owner named, outside the sandbox"}
	}
	return missingNames("to run the command %s, outside the sandbox", want, granted)
}

func missingScript(want, granted *Script) []string {
	if want == nil {
		return nil
	}
	var have []string
	if granted != nil {
		have = granted.Interpreters
	}
	if slices.Contains(want.Interpreters, "*") && !slices.Contains(have, "*") {
		return []string{"to run scripts with any interpreter, outside the sandbox"}
	}
	return missingNames("to run scripts with %s, outside the sandbox", want.Interpreters, have)
}

func execNames(list []Exec) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Name)
	}
	return out
}

func missingKV(want, granted *KV) []string {
	switch {
	case want == nil:
		return nil
	case granted == nil:
		return []string{"the key-value store"}
	case granted.MaxBytes != 0 && (want.MaxBytes == 0 || want.MaxBytes > granted.MaxBytes):
		return []string{fmt.Sprintf("more than %s in the key-value store", granted.MaxBytes)}
	}
	return nil
}

func missingHTTP(want, granted *HTTP) []string {
	if want == nil {
		return nil
	}
	have := HTTP{Addresses: []string{"none"}, Methods: []string{"none"}}
	if granted != nil {
		have = *granted
	}
	hosts := missingHosts("http to ", rules(want.Hosts, webPorts), rules(have.Hosts, webPorts))
	if granted == nil {
		return append(hosts, missingAddresses("http to ", want.Addresses, []string{Public})...)
	}
	out := append(hosts, missingAddresses("http to ", want.Addresses, have.Addresses)...)
	return append(out, missingNames("http with the method %s", want.methods(), have.methods())...)
}

func missingNet(want, granted *Net) []string {
	if want == nil {
		return nil
	}
	if granted == nil {
		out := missingHosts("connections to ", rules(want.Hosts, 0), nil)
		return append(out, missingAddresses("connections to ", want.Addresses, []string{Public})...)
	}
	out := missingHosts("connections to ", rules(want.Hosts, 0), rules(granted.Hosts, 0))
	return append(out, missingAddresses("connections to ", want.Addresses, granted.Addresses)...)
}

func missingHosts(verb string, want, granted []hostRule) []string {
	var out []string
	for _, w := range want {
		if slices.ContainsFunc(granted, func(g hostRule) bool { return g.covers(w) }) {
			continue
		}
		switch name := w.String(); {
		case name == "*":
			out = append(out, verb+"any host")
		case strings.HasPrefix(name, "*:"):
			out = append(out, verb+"any host on port "+name[2:])
		default:
			out = append(out, verb+name)
		}
	}
	return out
}

func missingAddresses(verb string, want, granted []string) []string {
	var out []string
	for _, w := range addressClasses(want) {
		if slices.ContainsFunc(addressClasses(granted), func(g string) bool { return termCovers(g, w) }) {
			continue
		}
		switch w {
		case Public, Private, Loopback:
			out = append(out, verb+w+" addresses")
		default:
			out = append(out, verb+"addresses in "+w)
		}
	}
	return out
}
