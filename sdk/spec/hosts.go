package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// hostRule is a parsed host pattern. A port of 0 is any port; webPorts is
// "80 and 443", what a pattern of HTTP without a port means.
type hostRule struct {
	name string // "*", "*.example.com", "example.com", "10.0.0.1", "::1"
	port int
}

const webPorts = -1

// parseHost reads a pattern; bare is the port of a pattern without one.
func parseHost(pattern string, bare int) (hostRule, error) {
	wrong := fmt.Errorf("%q is not a host such as \"api.example.com:443\", \"*.example.com\" or \"*\"", pattern)
	name, port, hasPort := splitPort(pattern)
	r := hostRule{name: canonical(name), port: bare}
	switch {
	case hasPort && port == "*":
		r.port = 0
	case hasPort:
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return r, wrong
		}
		r.port = n
	case r.name == "*":
		r.port = 0
	}
	rest := strings.TrimPrefix(r.name, "*.")
	if rest == "*" && r.name == "*" {
		return r, nil
	}
	if _, err := netip.ParseAddr(rest); err == nil && rest == r.name {
		return r, nil
	}
	if rest == "" || len(rest) > 253 || strings.ContainsAny(rest, "*/@?#%[]: \t") || strings.Contains(rest, "..") || rest[0] == '.' {
		return r, wrong
	}
	return r, nil
}

// splitPort cuts "name:port", "[v6]:port", "v6" and "name".
func splitPort(pattern string) (name, port string, hasPort bool) {
	if rest, ok := strings.CutPrefix(pattern, "["); ok {
		name, port, ok = strings.Cut(rest, "]")
		port, hasPort = strings.CutPrefix(port, ":")
		if !ok || !hasPort && port != "" {
			return pattern, "", false
		}
		return name, port, hasPort
	}
	if strings.Count(pattern, ":") > 1 {
		return pattern, "", false
	}
	return strings.Cut(pattern, ":")
}

// canonical is how names are compared: lower case, no dot at the end, one
// spelling per address.
func canonical(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

func (r hostRule) String() string {
	name := r.name
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	switch {
	case r.port > 0:
		return name + ":" + strconv.Itoa(r.port)
	case r.port == 0 && name != "*":
		return name + ":*"
	}
	return name
}

// covers says whether the name pattern a matches all that b matches.
func covers(a, b string) bool {
	if a == "*" || a == b {
		return true
	}
	suffix, ok := strings.CutPrefix(a, "*")
	if !ok {
		return false
	}
	if _, err := netip.ParseAddr(b); err == nil {
		return false
	}
	return strings.HasSuffix(strings.TrimPrefix(b, "*"), suffix) && len(b) > len(suffix)
}

func portCovers(a, b int) bool {
	return a == 0 || a == b || a == webPorts && (b == 80 || b == 443)
}

// covers says whether r matches all that o matches.
func (r hostRule) covers(o hostRule) bool {
	return covers(r.name, o.name) && portCovers(r.port, o.port)
}

// intersect returns what both match.
func (r hostRule) intersect(o hostRule) (hostRule, bool) {
	out := r
	switch {
	case covers(r.name, o.name):
		out.name = o.name
	case !covers(o.name, r.name):
		return out, false
	}
	switch {
	case portCovers(r.port, o.port):
		out.port = o.port
	case !portCovers(o.port, r.port):
		return out, false
	}
	return out, true
}

// rules parses patterns, leaving out wrong ones: what cannot be read allows
// nothing.
func rules(patterns []string, bare int) []hostRule {
	var list []hostRule
	for _, p := range patterns {
		if r, err := parseHost(p, bare); err == nil {
			list = append(list, r)
		}
	}
	return list
}

func hostAllowed(list []hostRule, host string, port int) bool {
	want := hostRule{canonical(host), port}
	if want.name == "" || strings.Contains(want.name, "*") {
		return false
	}
	return slices.ContainsFunc(list, func(r hostRule) bool { return r.covers(want) })
}

// intersectHosts writes what both lists match as patterns.
func intersectHosts(a, b []hostRule) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if r, ok := x.intersect(y); ok && !slices.Contains(out, r.String()) {
				out = append(out, r.String())
			}
		}
	}
	return out
}

// Allows says whether a request to host:port with method is covered. The
// address that the name resolves to is checked with AddressAllowed.
func (h HTTP) Allows(host string, port int, method string) bool {
	if !hostAllowed(rules(h.Hosts, webPorts), host, port) || port < 1 {
		return false
	}
	methods := h.methods()
	return slices.Contains(methods, "*") || slices.Contains(methods, strings.ToUpper(method))
}

// methods is the list with its default.
func (h HTTP) methods() []string {
	if len(h.Methods) == 0 {
		return []string{"GET", "HEAD"}
	}
	out := make([]string, len(h.Methods))
	for i, m := range h.Methods {
		out[i] = strings.ToUpper(m)
	}
	return out
}

// Allows says whether host:port is covered. Port 0, for dns.lookup, asks for
// the name alone.
func (n Net) Allows(host string, port int) bool {
	list := rules(n.Hosts, 0)
	if port == 0 {
		for i := range list {
			list[i].port = 0
		}
	}
	return hostAllowed(list, host, port)
}
