package broker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"octopus/sdk/spec"
)

// errNotDialled ends each connection before it is made.
var errNotDialled = errors.New("the test makes no connections")

// FuzzURL: whatever the URL, only the host and port that were granted are dialled; and where any host was, never an
// address of the machine's own, its network's or its cloud's.
func FuzzURL(f *testing.F) {
	for _, url := range []string{
		"http://good.example:8080/", "http://GOOD.example.:8080", "http://good.example:8080@evil.example/", "http://evil.example#@good.example:8080/",
		`http://good.example:8080\@evil.example/`, "http://good.example:8080:80/", "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://[::1]:8080/",
		"http://[::ffff:127.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]", "http://[fe80::1%25lo]/", "http://①②⑦.0.0.1/",
		"http://127。0。0。1", "http://169.254.169.254/latest", "https://8.8.8.8:0/", "http://[2001:4860:4860::8888]:65536/", "//good.example:8080", "http://good.example:8080\r\nHost: x/",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		for _, to := range dialled(t, url, spec.HTTP{Hosts: []string{"good.example:8080"}, Methods: []string{"*"}}) {
			if to != "good.example:8080" {
				t.Errorf("%q dials %s", url, to)
			}
		}
		grant := spec.HTTP{Hosts: []string{"*"}, Addresses: []string{spec.Public}, Methods: []string{"*"}}
		control := New(Config{Grant: spec.Capabilities{HTTP: &grant}}).dialer("http", grant.Addresses, nil).ControlContext
		for _, to := range dialled(t, url, grant) {
			addr, err := netip.ParseAddrPort(to)
			if err != nil {
				continue // a name: what it resolves to is judged as these are
			}
			network := "tcp6"
			if addr.Addr().Is4() {
				network = "tcp4"
			}
			if control(t.Context(), network, to, nil) == nil && inner(addr.Addr()) {
				t.Errorf("%q may connect to %s", url, to)
			}
		}
	})
}

// dialled are the addresses that a broker would dial for a URL.
func dialled(t *testing.T, url string, grant spec.HTTP) (all []string) {
	t.Helper()
	b := New(Config{Grant: spec.Capabilities{HTTP: &grant}})
	b.web = &web{&http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		all = append(all, address)
		return nil, errNotDialled
	}}}
	defer b.Close()
	if reply, code, message := call(t, b, "http.fetch", map[string]any{"url": url}); code == "" || message == "" {
		t.Errorf("%q was answered %v", url, reply)
	}
	return all
}

// inner says, independently of the policy, whether an address leads to this machine or its neighbours: it does where
// the address does that it carries.
func inner(addr netip.Addr) bool {
	raw := addr.As16() // of an IPv4 address: mapped
	carried := []netip.Addr{addr.Unmap().WithZone("")}
	switch {
	case raw[0] == 0 && raw[1] == 0x64 && raw[2] == 0xff && raw[3] == 0x9b, [12]byte(raw[:12]) == [12]byte{}:
		carried = append(carried, netip.AddrFrom4([4]byte(raw[12:])))
	case raw[0] == 0x20 && raw[1] == 0x02:
		carried = append(carried, netip.AddrFrom4([4]byte(raw[2:6])))
	}
	for _, a := range carried {
		if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() ||
			netip.MustParsePrefix("100.64.0.0/10").Contains(a) || a == netip.MustParseAddr("255.255.255.255") {
			return true
		}
	}
	return false
}
