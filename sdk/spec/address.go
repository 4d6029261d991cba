package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Classes of addresses that a grant may name beside CIDRs.
const (
	Public   = "public"
	Private  = "private"
	Loopback = "loopback"
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

var (
	loopbackNets = prefixes("127.0.0.0/8", "::1/128")
	// 100.64/10 is what carriers and overlay networks use inside.
	privateNets = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
	// linkLocalNets hold the metadata services of clouds: no class has them,
	// only a CIDR within them.
	linkLocalNets = prefixes("169.254.0.0/16", "fe80::/10")
	// neverNets name no single host: unspecified, multicast, broadcast.
	neverNets = prefixes("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")
	// specialNets are in no class (IANA's special-purpose registries), but a
	// CIDR may name them.
	specialNets = prefixes("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16")
	globalV6  = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// AddressAllowed says whether an address is in one of the classes: public,
// private, loopback or a CIDR. Terms joined by "&" must all hold. An address
// that carries an IPv4 address (mapped, NAT64, 6to4) is judged by that one.
// Empty classes allow nothing.
func AddressAllowed(addr netip.Addr, classes []string) bool {
	addr = embedded(addr)
	if !addr.IsValid() || within(addr, neverNets) {
		return false
	}
	return slices.ContainsFunc(classes, func(class string) bool {
		for term := range strings.SplitSeq(class, "&") {
			if !inTerm(addr, strings.TrimSpace(term)) {
				return false
			}
		}
		return true
	})
}

// embedded is the address that traffic to addr ends at.
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("").Unmap()
	if !addr.Is6() {
		return addr
	}
	raw := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(raw[12:16]))
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(raw[2:6]))
	}
	return addr
}

func within(addr netip.Addr, nets []netip.Prefix) bool {
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func inTerm(addr netip.Addr, term string) bool {
	switch term {
	case Public:
		if within(addr, loopbackNets) || within(addr, privateNets) || within(addr, linkLocalNets) || within(addr, specialNets) {
			return false
		}
		return addr.Is4() || globalV6.Contains(addr)
	case Private:
		return within(addr, privateNets)
	case Loopback:
		return within(addr, loopbackNets)
	}
	p, err := parseCIDR(term)
	if err != nil || !p.Contains(addr) {
		return false
	}
	return !within(addr, linkLocalNets) || slices.ContainsFunc(linkLocalNets, func(l netip.Prefix) bool { return contains(l, p) })
}

// parseCIDR reads a network, or one address.
func parseCIDR(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is not public, private, loopback or a network such as 10.1.0.0/16", text)
	}
	return p.Masked(), nil
}

func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// termCovers says whether everything in b is surely in a.
func termCovers(a, b string) bool {
	if a == b {
		return true
	}
	if first, rest, joined := strings.Cut(b, "&"); joined {
		return termCovers(a, first) || termCovers(a, rest)
	}
	inner, err := parseCIDR(b)
	if err != nil {
		return false
	}
	if a == Public {
		return publicNet(inner)
	}
	if outer, err := parseCIDR(a); err == nil {
		return contains(outer, inner)
	}
	nets := map[string][]netip.Prefix{Private: privateNets, Loopback: loopbackNets}[a]
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return contains(p, inner) })
}

// publicNet says whether every address of a network is public.
func publicNet(p netip.Prefix) bool {
	for _, nets := range [][]netip.Prefix{loopbackNets, privateNets, linkLocalNets, neverNets, specialNets, {nat64, sixToFour}} {
		if slices.ContainsFunc(nets, p.Overlaps) {
			return false
		}
	}
	return p.Addr().Is4() || contains(globalV6, p)
}

// addressClasses is the list with its default.
func addressClasses(list []string) []string {
	if len(list) == 0 {
		return []string{Public}
	}
	return list
}

// intersectClasses returns what both lists allow.
func intersectClasses(a, b []string) []string {
	var out []string
	for _, x := range addressClasses(a) {
		for _, y := range addressClasses(b) {
			both := x + "&" + y
			switch {
			case termCovers(x, y):
				both = y
			case termCovers(y, x):
				both = x
			case disjoint(x, y):
				continue
			}
			if !slices.Contains(out, both) {
				out = append(out, both)
			}
		}
	}
	return out
}

// disjoint says whether two terms surely have nothing in common.
func disjoint(a, b string) bool {
	classes := []string{Public, Private, Loopback}
	if slices.Contains(classes, a) && slices.Contains(classes, b) {
		return a != b
	}
	p, err1 := parseCIDR(a)
	q, err2 := parseCIDR(b)
	switch {
	case err1 == nil && err2 == nil:
		return !p.Overlaps(q)
	case err1 == nil:
		return classDisjoint(b, p)
	case err2 == nil:
		return classDisjoint(a, q)
	}
	return false
}

func classDisjoint(class string, p netip.Prefix) bool {
	switch class {
	case Public:
		return slices.ContainsFunc(slices.Concat(loopbackNets, privateNets, linkLocalNets, neverNets, specialNets),
			func(n netip.Prefix) bool { return contains(n, p) })
	case Private:
		return !slices.ContainsFunc(privateNets, p.Overlaps)
	case Loopback:
		return !slices.ContainsFunc(loopbackNets, p.Overlaps)
	}
	return false
}
