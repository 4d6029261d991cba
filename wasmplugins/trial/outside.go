package trial

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"octopus/sdk/spec"
)

// maxOutside is how many different calls outside a manifest are kept of one run.
const maxOutside = 20

// Outside is a host call that the manifest does not ask for: whatever an
// administrator grants, no agent does it.
type Outside struct {
	What  string // as in "http GET to example.com:443"
	Faked bool   // a fake answers it, so that the plugin would work here only
}

// Sentence says so to the author.
func (o Outside) Sentence() string {
	if o.Faked {
		return fmt.Sprintf("A fake answers %s, which the manifest does not ask for: every agent denies it.", o.What)
	}
	return fmt.Sprintf("It asked for %s, which the manifest does not ask for: every agent denies it.", o.What)
}

// Outside returns the calls so far that the manifest does not ask for, each
// once, in order.
func (b *Broker) Outside() []Outside {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.outside)
}

// strays says what of a call the manifest does not ask for, "" where it does.
// What cannot be read is for the answer to refuse. b.mu is held.
func (b *Broker) strays(op string, q question) string {
	if b.free {
		return ""
	}
	what := b.beyond(op, q)
	o := Outside{What: what, Faked: what != "" && b.faked(op, q)}
	if what != "" && len(b.outside) < maxOutside && !slices.Contains(b.outside, o) {
		b.outside = append(b.outside, o)
	}
	return what
}

// beyond judges as an agent's broker does, with the manifest in place of a
// grant. Names are not looked up, so of addresses only those are judged that
// are spelt out.
func (b *Broker) beyond(op string, q question) string {
	area, _, _ := strings.Cut(op, ".")
	switch area {
	case "http":
		return b.beyondHTTP(q)
	case "tcp", "dns":
		return b.beyondNet(op, q)
	case "host":
		return b.beyondHost(q.Parts)
	case "kv":
		if b.caps.KV == nil {
			return "the key-value store"
		}
	case "secret":
		if _, asked := b.caps.Secret(q.Name); !asked {
			return "the secret " + q.Name
		}
	case "file":
		return b.beyondFiles(op, q.Path)
	case "exec":
		if !slices.ContainsFunc(b.caps.Exec, func(e spec.Exec) bool { return e.Name == q.Name || e.Name == "*" }) {
			return "the command " + q.Name
		}
	case "script":
		s := b.caps.Script
		if s == nil || !slices.Contains(s.Interpreters, q.Interpreter) && !slices.Contains(s.Interpreters, "*") {
			return "to run scripts with " + q.Interpreter
		}
	}
	return ""
}

func (b *Broker) beyondHTTP(q question) string {
	u, err := url.Parse(q.URL)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	host, method := u.Hostname(), strings.ToUpper(q.Method)
	what := fmt.Sprintf("http %s to %s", method, net.JoinHostPort(host, strconv.Itoa(port)))
	if c := b.caps.HTTP; c == nil || !c.Allows(host, port, method) || !reachable(host, c.Addresses) {
		return what
	}
	for _, value := range q.Headers {
		stray := ""
		_, _ = spec.FillSecrets(value, func(name string) (string, error) { // a placeholder without an end is for the answer to refuse
			if _, asked := b.caps.Secret(name); !asked {
				stray = "the secret " + name
			}
			return "", nil
		})
		if stray != "" {
			return stray
		}
	}
	return ""
}

func (b *Broker) beyondNet(op string, q question) string {
	host, what := strings.Trim(q.Host, "[]"), ""
	if op == "dns.lookup" {
		host, q.Port = q.Name, 0
		what = "the records of " + host
	} else {
		what = "connections to " + net.JoinHostPort(host, strconv.Itoa(q.Port))
	}
	c := b.caps.Net
	if c == nil || !c.Allows(host, q.Port) || op != "dns.lookup" && !reachable(host, c.Addresses) {
		return what
	}
	return ""
}

// reachable says whether a host is in the classes of addresses, as far as that
// can be told without looking it up.
func reachable(host string, classes []string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return true
	}
	if len(classes) == 0 {
		classes = []string{spec.Public}
	}
	return spec.AddressAllowed(addr, classes)
}

func (b *Broker) beyondHost(parts []string) string {
	if slices.Contains(b.caps.Host, "*") {
		return ""
	}
	for _, part := range parts {
		if !slices.Contains(b.caps.Host, part) {
			return "the host's " + part
		}
	}
	if len(b.caps.Host) == 0 {
		return "facts of the host"
	}
	return ""
}

func (b *Broker) beyondFiles(op, path string) string {
	write := op == "file.write" || op == "file.delete"
	covered := slices.ContainsFunc(b.caps.Files, func(f spec.File) bool {
		_, inside := f.Below(path)
		return inside && (f.Writable() || !write)
	})
	switch {
	case covered:
		return ""
	case write:
		return "writing " + path
	}
	return "reading " + path
}

// faked says whether a fake answers a call.
func (b *Broker) faked(op string, q question) bool {
	if _, ok := b.fakes.Ops[op]; ok {
		return true
	}
	switch op {
	case "http.fetch":
		return slices.ContainsFunc(b.fakes.HTTP, func(f spec.FakeHTTP) bool { return fits(f, q) })
	case "tcp.probe":
		_, ok := b.fakes.TCP[net.JoinHostPort(q.Host, strconv.Itoa(q.Port))]
		return ok
	case "dns.lookup":
		return len(b.fakes.DNS[q.Name]) > 0
	case "secret.get":
		_, ok := b.fakes.Secrets[q.Name]
		return ok
	}
	return strings.HasPrefix(op, "kv.") // the store is there without a fake
}
