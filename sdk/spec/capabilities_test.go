package spec

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

func TestHTTPAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hosts, methods []string
		host           string
		port           int
		method         string
		want           bool
	}{
		{[]string{"*"}, nil, "example.com", 8443, "GET", true},
		{[]string{"*"}, nil, "example.com", 443, "POST", false},
		{[]string{"*"}, []string{"post"}, "example.com", 443, "POST", true},
		{[]string{"*"}, []string{"*"}, "example.com", 443, "PATCH", true},
		{[]string{"example.com"}, nil, "example.com", 443, "GET", true},
		{[]string{"example.com"}, nil, "EXAMPLE.com.", 80, "head", true},
		{[]string{"example.com"}, nil, "example.com", 8080, "GET", false},
		{[]string{"example.com:*"}, nil, "example.com", 8080, "GET", true},
		{[]string{"example.com"}, nil, "www.example.com", 443, "GET", false},
		{[]string{"*.example.com:443"}, nil, "a.b.example.com", 443, "GET", true},
		{[]string{"*.example.com:443"}, nil, "example.com", 443, "GET", false},
		{[]string{"*.example.com:443"}, nil, "badexample.com", 443, "GET", false},
		{[]string{"*.0.0.1"}, nil, "127.0.0.1", 80, "GET", false},
		{[]string{"127.0.0.1:8080"}, nil, "127.0.0.1", 8080, "GET", true},
		{[]string{"[::1]:8080"}, nil, "::1", 8080, "GET", true},
		{[]string{"::1"}, nil, "0:0:0:0:0:0:0:1", 80, "GET", true},
		{[]string{"*:8080"}, nil, "x", 8080, "GET", true},
		{[]string{"*:8080"}, nil, "x", 80, "GET", false},
		{[]string{"http://example.com", "a b", "a..b", "*a", "example.com:0"}, nil, "example.com", 80, "GET", false},
		{nil, nil, "example.com", 80, "GET", false},
		{[]string{"*"}, nil, "", 80, "GET", false},
		{[]string{"*"}, nil, "*", 80, "GET", false},
	} {
		if got := (HTTP{Hosts: c.hosts, Methods: c.methods}).Allows(c.host, c.port, c.method); got != c.want {
			t.Errorf("%v %v allows %s %s:%d: %v", c.hosts, c.methods, c.method, c.host, c.port, got)
		}
	}
}

func TestNetAllows(t *testing.T) {
	t.Parallel()
	n := Net{Hosts: []string{"db.internal:5432", "*.example.com"}}
	for _, c := range []struct {
		host string
		port int
		want bool
	}{
		{"db.internal", 5432, true}, {"db.internal", 22, false}, {"db.internal", 0, true},
		{"a.example.com", 9, true}, {"a.example.com", 0, true}, {"example.org", 0, false},
	} {
		if got := n.Allows(c.host, c.port); got != c.want {
			t.Errorf("%s:%d: %v", c.host, c.port, got)
		}
	}
}

func TestAddressAllowed(t *testing.T) {
	t.Parallel()
	classes := []string{Public, Private, Loopback}
	for addr, want := range map[string]string{
		"93.184.216.34": Public, "2606:2800:220:1::": Public, "::ffff:93.184.216.34": Public, "64:ff9b::5db8:d822": Public, "2002:5db8:d822::1": Public,
		"10.1.2.3": Private, "172.31.0.1": Private, "192.168.1.1": Private, "100.64.0.1": Private, "fd00::1": Private,
		"::ffff:10.0.0.1": Private, "64:ff9b::a00:1": Private, "2002:a00:1::": Private,
		"127.0.0.1": Loopback, "127.9.9.9": Loopback, "::1": Loopback, "::ffff:127.0.0.1": Loopback, "64:ff9b::7f00:1": Loopback,
		"0.0.0.0": "", "::": "", "169.254.169.254": "", "::ffff:169.254.169.254": "", "64:ff9b::a9fe:a9fe": "", "fe80::1": "", "fe80::1%eth0": "",
		"224.0.0.1": "", "ff02::1": "", "255.255.255.255": "", "240.0.0.1": "", "198.18.0.1": "", "192.0.2.1": "", "2001:db8::1": "", "::7f00:1": "", "64:ff9b:1::1": "", "100::1": "",
	} {
		for _, class := range classes {
			if got := AddressAllowed(netip.MustParseAddr(addr), []string{class}); got != (class == want) {
				t.Errorf("%s is %s: %v", addr, class, got)
			}
		}
	}
	for _, c := range []struct {
		addr, class string
		want        bool
	}{
		{"10.1.2.3", "10.1.0.0/16", true}, {"10.2.2.3", "10.1.0.0/16", false}, {"10.1.2.3", "10.1.2.3", true},
		{"::ffff:10.1.2.3", "10.1.0.0/16", true}, {"192.0.2.1", "192.0.2.0/24", true},
		{"169.254.169.254", "0.0.0.0/0", false}, {"169.254.169.254", "169.254.169.254", true},
		{"224.0.0.1", "0.0.0.0/0", false}, {"0.0.0.0", "0.0.0.0/0", false},
		{"10.1.2.3", "private&10.1.0.0/16", true}, {"10.2.2.3", "private&10.1.0.0/16", false},
		{"10.1.2.3", "nonsense", false}, {"10.1.2.3", "", false},
	} {
		if got := AddressAllowed(netip.MustParseAddr(c.addr), []string{c.class}); got != c.want {
			t.Errorf("%s in %q: %v", c.addr, c.class, got)
		}
	}
	if AddressAllowed(netip.Addr{}, classes) || AddressAllowed(netip.MustParseAddr("93.184.216.34"), nil) {
		t.Error("nothing is allowed something")
	}
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	manifest := Capabilities{
		HTTP: &HTTP{Hosts: []string{"*"}, Reason: "why"}, Net: &Net{Hosts: []string{"*.internal"}, Addresses: []string{Private, Public}},
		Host: []string{"disks", "load"}, Secrets: []Secret{{Name: "a", Expose: "value"}, {Name: "b"}},
		KV: &KV{MaxBytes: 100}, Files: []File{{Path: "/var/log", Mode: "rw"}}, Env: []string{"TZ"}, Exec: []Exec{{Name: "uptime"}}, UserParams: []string{"x"},
	}
	grant := Capabilities{
		HTTP: &HTTP{Hosts: []string{"*.example.com:443", "10.0.0.1"}, Addresses: []string{Public, "10.0.0.0/8"}, Methods: []string{"GET", "POST"}},
		Net:  &Net{Hosts: []string{"db.internal:5432"}, Addresses: []string{"10.1.0.0/16"}},
		Host: []string{"load", "os"}, Secrets: []Secret{{Name: "a"}}, KV: &KV{MaxBytes: 50},
		Files: []File{{Path: "/var/log/app", Mode: "rw"}, {Path: "/var", Mode: "ro"}, {Path: "/var/logs", Mode: "rw"}}, Env: []string{"TZ", "HOME"}, Exec: []Exec{{Name: "*"}},
	}
	want := Capabilities{
		HTTP: &HTTP{Hosts: []string{"*.example.com:443", "10.0.0.1"}, Addresses: []string{Public}, Methods: []string{"GET"}, Reason: "why"},
		Net:  &Net{Hosts: []string{"db.internal:5432"}, Addresses: []string{"10.1.0.0/16"}},
		Host: []string{"load"}, Secrets: []Secret{{Name: "a", Expose: "header"}}, KV: &KV{MaxBytes: 50},
		Files: []File{{Path: "/var/log/app", Mode: "rw"}, {Path: "/var/log", Mode: "ro"}}, Env: []string{"TZ"}, Exec: []Exec{{Name: "uptime"}},
	}
	got := manifest.Intersect(grant)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v %+v\nwant %+v %+v %+v", got, got.HTTP, got.Net, want, want.HTTP, want.Net)
	}
	if got := manifest.Intersect(Capabilities{}); !reflect.DeepEqual(got, Capabilities{}) {
		t.Errorf("with nothing granted: %+v", got)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	want := Capabilities{
		HTTP: &HTTP{Hosts: []string{"*"}, Addresses: []string{Public, Loopback}, Methods: []string{"GET", "POST"}},
		Net:  &Net{Hosts: []string{"db.internal:5432"}}, Host: []string{"disks"}, Secrets: []Secret{{Name: "token", Expose: "value"}}, KV: &KV{},
		Files: []File{{Path: "/var/log", Mode: "ro"}}, Env: []string{"TZ"}, Exec: []Exec{{Name: "uptime"}}, UserParams: []string{"preferences"},
	}
	if got := want.Missing(want); got != nil {
		t.Errorf("granted as asked, missing %q", got)
	}
	all := []string{
		"http to any host", "http to loopback addresses", "connections to db.internal:5432", "host facts: disks", "the secret token", "the key-value store",
		"to read files under /var/log", "the environment variable TZ", "to run the command uptime, outside the sandbox", "the user's preferences",
	}
	if got := want.Missing(Capabilities{}); !slices.Equal(got, all) {
		t.Errorf("nothing granted, missing %q", got)
	}
	some := Capabilities{
		HTTP: &HTTP{Hosts: []string{"*.example.com"}, Addresses: []string{Public}}, Net: &Net{Hosts: []string{"*"}},
		Host: []string{"*"}, Secrets: []Secret{{Name: "token"}}, KV: &KV{MaxBytes: 10}, Files: []File{{Path: "/var"}}, Env: []string{"TZ"}, Exec: []Exec{{Name: "*"}}, UserParams: []string{"*"},
	}
	partly := []string{"http to any host", "http to loopback addresses", "http with the method POST", "to read the value of the secret token", "more than 10B in the key-value store"}
	if got := want.Missing(some); !slices.Equal(got, partly) {
		t.Errorf("some granted, missing %q", got)
	}
}

// What is granted after an intersection is never more than either side.
func FuzzHostIntersection(f *testing.F) {
	f.Add("*", "*.example.com:443", "a.example.com", uint16(443))
	f.Add("*.com", "a.com", "a.com", uint16(80))
	f.Fuzz(func(t *testing.T, a, b, host string, port uint16) {
		x, y := HTTP{Hosts: []string{a}}, HTTP{Hosts: []string{b}}
		both := x.Allows(host, int(port), "GET") && y.Allows(host, int(port), "GET")
		one := Capabilities{HTTP: &x}.Intersect(Capabilities{HTTP: &y}).HTTP
		if got := one != nil && one.Allows(host, int(port), "GET"); got != both {
			t.Errorf("%q ∩ %q = %+v allows %q:%d: %v, both: %v", a, b, one, host, port, got, both)
		}
	})
}

func TestSecretsOfActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		actions []string
		action  string
		needed  bool
	}{{nil, "mail", true}, {[]string{"mail"}, "mail", true}, {[]string{"mail"}, "chat", false}, {[]string{"mail"}, "", true}} {
		if got := (Secret{Actions: c.actions}).NeededBy(c.action); got != c.needed {
			t.Errorf("secret of %v needed by %q: %t", c.actions, c.action, got)
		}
	}
	asked := Capabilities{Secrets: []Secret{{Name: "a", Actions: []string{"mail"}}}}
	if got := asked.Intersect(Capabilities{Secrets: []Secret{{Name: "a", Bind: "b"}}}); len(got.Secrets) != 1 || got.Secrets[0].NeededBy("chat") || got.Secrets[0].Bind != "b" {
		t.Errorf("what a grant leaves: %+v", got.Secrets)
	}
}
