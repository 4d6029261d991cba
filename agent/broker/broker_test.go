package broker

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"encoding/pem"

	"go.uber.org/goleak"

	"octopus/agent/policy"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// TestMain lets the test binary be the runner of its own sandbox.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// call does an operation and returns its reply, with the error's code and message.
func call(t *testing.T, b *Broker, op string, req any) (reply map[string]any, code, message string) {
	t.Helper()
	raw, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.Call(t.Context(), op, raw)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	var full struct {
		Error *Error `json:"error"`
	}
	if err := json.Unmarshal(out, &reply); err != nil {
		t.Fatalf("%s replied %s: %v", op, out, err)
	}
	if err := json.Unmarshal(out, &full); err != nil {
		t.Fatal(err)
	}
	if full.Error != nil {
		code, message = full.Error.Code, full.Error.Message
	}
	return reply, code, message
}

func newBroker(t *testing.T, c Config) *Broker {
	c.Plugin = "http-check"
	b := New(c)
	t.Cleanup(b.Close)
	return b
}

func webGrant(hosts, addresses []string, methods ...string) spec.Capabilities {
	return spec.Capabilities{HTTP: &spec.HTTP{Hosts: hosts, Addresses: addresses, Methods: methods}}
}

// site is a web server on loopback, and what leads there.
func site(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	if h == nil {
		h = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path) }
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/binary":
			w.Write([]byte{0xff, 0xfe, 0})
		case "/long":
			w.Write([]byte(strings.Repeat("x", 5000)))
		default:
			w.Header().Add("X-Many", "a")
			w.Header().Add("X-Many", "b")
			fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, r.Header.Get("X-Own"))
		}
	})
	b := newBroker(t, Config{Grant: webGrant([]string{"*"}, []string{spec.Loopback}, "GET", "POST")})
	reply, code, message := call(t, b, "http.fetch", map[string]any{"url": s.URL + "/a", "headers": map[string]string{"x-own": "1"}})
	if code != "" || reply["status"] != 200.0 || reply["body"] != "GET /a 1" || reply["final_url"] != s.URL+"/a" {
		t.Errorf("%v %s %s", reply, code, message)
	}
	if h := reply["headers"].(map[string]any); h["X-Many"] != "a, b" {
		t.Errorf("headers %v", h)
	}
	if reply["remote_addr"] != strings.TrimPrefix(s.URL, "http://") || reply["bytes"] != 8.0 {
		t.Errorf("%v", reply)
	}
	if reply, _, _ = call(t, b, "http.fetch", map[string]any{"url": s.URL + "/binary"}); reply["body_base64"] != "//4A" {
		t.Errorf("%v", reply)
	}
	reply, _, _ = call(t, b, "http.fetch", map[string]any{"url": s.URL + "/long", "max_bytes": 10})
	if reply["truncated"] != true || reply["body"] != "xxxxxxxxxx" {
		t.Errorf("%v", reply)
	}
}

// Each way around the grant is refused, and says who could allow it.
func TestFetchDenied(t *testing.T) {
	t.Parallel()
	s := site(t, nil)
	port := mustURL(t, s.URL).Port()
	owner := parse(t, "capabilities:\n  http: {hosts: [\"*:"+port+"\"], methods: [GET]}\n")
	strict := parse(t, "capabilities:\n  http: {addresses: [public]}\n")
	none := parse(t, "capabilities:\n  kv: true\n")
	loop := []string{spec.Loopback}
	for name, c := range map[string]struct {
		config  Config
		url     string
		method  string
		code    string
		message string
	}{
		"no grant":                 {Config{}, s.URL, "GET", "denied", "not granted to http-check"},
		"other host":               {Config{Grant: webGrant([]string{"example.com"}, loop)}, s.URL, "GET", "denied", "An administrator can grant it"},
		"other port":               {Config{Grant: webGrant([]string{"127.0.0.1:1"}, loop)}, s.URL, "GET", "denied", "127.0.0.1:" + port},
		"other method":             {Config{Grant: webGrant([]string{"*"}, loop)}, s.URL, "POST", "denied", "POST"},
		"loopback is not public":   {Config{Grant: webGrant([]string{"*"}, nil)}, s.URL, "GET", "denied", "the address 127.0.0.1"},
		"owner: method":            {Config{Grant: webGrant([]string{"*"}, loop, "*"), Policy: owner}, s.URL, "POST", "denied", "The owner of this agent"},
		"owner: port":              {Config{Grant: webGrant([]string{"*"}, loop), Policy: owner}, "http://127.0.0.1:1/", "GET", "denied", "The owner of this agent"},
		"owner: address":           {Config{Grant: webGrant([]string{"*"}, loop), Policy: strict}, s.URL, "GET", "denied", "the address 127.0.0.1"},
		"owner: nothing":           {Config{Grant: webGrant([]string{"*"}, loop), Policy: none}, s.URL, "GET", "denied", "policy file"},
		"file":                     {Config{Grant: webGrant([]string{"*"}, loop)}, "file:///etc/passwd", "GET", "invalid_request", "http://"},
		"no host":                  {Config{Grant: webGrant([]string{"*"}, loop)}, "http:///x", "GET", "invalid_request", "no host"},
		"user in the URL":          {Config{Grant: webGrant([]string{"*"}, loop)}, "http://u:p@127.0.0.1:" + port, "GET", "invalid_request", "user name"},
		"granted name as the user": {Config{Grant: webGrant([]string{"good.example"}, loop)}, "http://good.example@127.0.0.1:" + port, "GET", "invalid_request", ""},
		"zone":                     {Config{Grant: webGrant([]string{"*"}, loop)}, "http://[fe80::1%25lo]/", "GET", "invalid_request", ""},
		"bad method":               {Config{Grant: webGrant([]string{"*"}, loop, "*")}, s.URL, "G ET", "invalid_request", "method"},
		"unspecified":              {Config{Grant: webGrant([]string{"*"}, []string{"0.0.0.0/0", "::/0"})}, "http://0.0.0.0:" + port, "GET", "denied", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, code, message := call(t, newBroker(t, c.config), "http.fetch", map[string]any{"url": c.url, "method": c.method})
			if code != c.code || !strings.Contains(message, c.message) {
				t.Errorf("%s: %s", code, message)
			}
		})
	}
}

// No spelling of a loopback, private or metadata address gets through a grant for any public host.
func TestSpellingsOfInnerAddresses(t *testing.T) {
	t.Parallel()
	s := site(t, nil)
	port := mustURL(t, s.URL).Port()
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "127.000.000.001",
		"localhost", "LOCALHOST", "localhost.", "ip6-localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.0", "[::]", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1",
		"100.64.0.1", "[fd00::1]", "[fe80::1]", "224.0.0.1", "255.255.255.255", "①②⑦.0.0.1", "127。0。0。1",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t, Config{Grant: webGrant([]string{"*"}, nil)})
			reply, code, message := call(t, b, "http.fetch", map[string]any{"url": "http://" + host + ":" + port + "/", "timeout_seconds": 2})
			switch code {
			case "denied", "dns", "invalid_request", "timeout":
			default:
				t.Errorf("%s: %s %v", code, message, reply)
			}
		})
	}
}

func TestRedirectsAreChecked(t *testing.T) {
	t.Parallel()
	inner := site(t, nil)
	hops := 0
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inner":
			http.Redirect(w, r, inner.URL, http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			hops++
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/post":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		default:
			fmt.Fprint(w, r.URL.Path)
		}
	})
	host := strings.TrimPrefix(s.URL, "http://")
	b := newBroker(t, Config{Grant: webGrant([]string{host}, []string{spec.Loopback}, "GET")})
	fetch := func(path string, more map[string]any) (map[string]any, string) {
		req := map[string]any{"url": s.URL + path}
		for k, v := range more {
			req[k] = v
		}
		reply, code, _ := call(t, b, "http.fetch", req)
		return reply, code
	}
	if reply, code := fetch("/here", nil); code != "" || reply["body"] != "/there" || reply["redirects"] != 1.0 || reply["final_url"] != s.URL+"/there" {
		t.Errorf("%v %s", reply, code)
	}
	if reply, code := fetch("/here", map[string]any{"follow_redirects": false}); code != "" || reply["status"] != 302.0 {
		t.Errorf("%v %s", reply, code)
	}
	if _, code := fetch("/inner", nil); code != "denied" {
		t.Errorf("a redirect to another port: %s", code)
	}
	if _, code := fetch("/file", nil); code != "invalid_request" && code != "protocol" {
		t.Errorf("a redirect to a file: %s", code)
	}
	if _, code := fetch("/loop", nil); code != "protocol" || hops != fetchRedirects+1 {
		t.Errorf("an endless redirect: %s after %d", code, hops)
	}
}

// A name that resolves to an inner address is refused by what it resolves to, also when it answers otherwise the
// first time.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s := site(t, nil)
	port := mustURL(t, s.URL).Port()
	names := newNameServer(t, map[string][]string{
		"inner.example.": {"127.0.0.1"}, "mixed.example.": {"127.0.0.1", "10.1.2.3"}, "meta.example.": {"169.254.169.254"},
	})
	b := newBroker(t, Config{Grant: webGrant([]string{"*.example:" + port}, nil), Resolver: names.resolver()})
	for _, host := range []string{"inner.example", "mixed.example", "meta.example", "INNER.example."} {
		_, code, message := call(t, b, "http.fetch", map[string]any{"url": "http://" + host + ":" + port})
		if code != "denied" {
			t.Errorf("%s: %s %s", host, code, message)
		}
	}
	// Where loopback is granted, the same name gets through: it was the address that was refused.
	b = newBroker(t, Config{Grant: webGrant([]string{"*.example:" + port}, []string{spec.Loopback}), Resolver: names.resolver()})
	if reply, code, message := call(t, b, "http.fetch", map[string]any{"url": "http://inner.example:" + port}); code != "" {
		t.Errorf("%v %s %s", reply, code, message)
	}
	// The name changes its mind between two calls of one execution, whose connection is gone by then.
	names.set("turn.example.", "127.0.0.1")
	own := newBroker(t, Config{Grant: webGrant([]string{"*.example:" + port}, []string{"127.0.0.1/32"}), Resolver: names.resolver()})
	if _, code, _ := call(t, own, "http.fetch", map[string]any{"url": "http://turn.example:" + port}); code != "" {
		t.Errorf("before: %s", code)
	}
	names.set("turn.example.", "127.0.0.2")
	s.CloseClientConnections()
	own.web.transport.CloseIdleConnections()
	if _, code, _ := call(t, own, "http.fetch", map[string]any{"url": "http://turn.example:" + port}); code != "denied" {
		t.Errorf("after: %s", code)
	}
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	s := site(t, nil)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	b := newBroker(t, Config{Grant: webGrant([]string{"*"}, []string{spec.Loopback})})
	if _, code, message := call(t, b, "http.fetch", map[string]any{"url": s.URL}); code != "" {
		t.Errorf("%s %s", code, message)
	}
}

func TestHeadersOfTheTransport(t *testing.T) {
	t.Parallel()
	s := site(t, nil)
	b := newBroker(t, Config{Grant: webGrant([]string{"*"}, []string{spec.Loopback})})
	for _, name := range []string{"Host", "host", "Connection", "Transfer-Encoding", "content-length", "Proxy-Authorization", "Upgrade", "Bad\nName"} {
		if _, code, _ := call(t, b, "http.fetch", map[string]any{"url": s.URL, "headers": map[string]string{name: "x"}}); code != "invalid_request" {
			t.Errorf("%q: %s", name, code)
		}
	}
}

func TestFetchErrors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	hang := make(chan struct{})
	slow := site(t, func(http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) })
	tlsSite := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(tlsSite.Close)
	names := newNameServer(t, nil)
	b := newBroker(t, Config{Grant: webGrant([]string{"*"}, []string{spec.Loopback}), Resolver: names.resolver()})
	for url, want := range map[string]string{
		"http://" + closed.Addr().String(): "refused",
		slow.URL:                           "timeout",
		tlsSite.URL:                        "tls",
		"http://nowhere.example/":          "dns",
		"https" + strings.TrimPrefix(slow.URL, "http"): "protocol",
		"": "invalid_request",
	} {
		seconds := 10.0
		if want == "timeout" {
			seconds = 0.3
		}
		_, code, message := call(t, b, "http.fetch", map[string]any{"url": url, "timeout_seconds": seconds})
		if code != want && !(want == "protocol" && (code == "tls" || code == "timeout")) {
			t.Errorf("%s: %s %s, want %s", url, code, message, want)
		}
	}
}

func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Config{})
	for range limits["http"].total {
		b.rates = map[string]*rated{"http": b.rates["http"]}
		if r := b.rates["http"]; r != nil {
			r.limiter.SetBurst(1000)
		}
		if _, code, _ := call(t, b, "http.fetch", map[string]any{"url": "http://x"}); code != "denied" {
			t.Fatal(code)
		}
	}
	if _, code, _ := call(t, b, "http.fetch", map[string]any{"url": "http://x"}); code != "quota" {
		t.Error(code)
	}
}

func TestUnknownAndMalformed(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Config{})
	if _, code, _ := call(t, b, "disk.format", map[string]any{}); code != "unsupported_op" {
		t.Error(code)
	}
	for _, op := range []string{"http.fetch", "tcp.probe", "dns.lookup", "host.info", "cache.get", "file.read", "exec.run", "script.run"} {
		if _, code, _ := call(t, b, op, []int{1}); code != "invalid_request" {
			t.Errorf("%s: %s", op, code)
		}
	}
	if out, err := b.Call(t.Context(), "host.info", nil); err != nil || !strings.Contains(string(out), "denied") {
		t.Errorf("%s %v", out, err)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	calls := 0
	s := site(t, func(http.ResponseWriter, *http.Request) { calls++ })
	var seen []Record
	b := newBroker(t, Config{
		Grant:  spec.Capabilities{HTTP: &spec.HTTP{Hosts: []string{"*"}, Addresses: []string{spec.Loopback}, Methods: []string{"*"}}, KV: &spec.KV{}},
		DryRun: true, Remote: NewMemory("x"), OnCall: func(r Record) { seen = append(seen, r) },
	})
	call(t, b, "http.fetch", map[string]any{"url": s.URL, "method": "DELETE"})
	call(t, b, "kv.set", map[string]any{"key": "a", "value": 1})
	if reply, _, _ := call(t, b, "kv.get", map[string]any{"key": "a"}); reply["found"] != false {
		t.Errorf("a dry run wrote: %v", reply)
	}
	call(t, b, "http.fetch", map[string]any{"url": s.URL})
	if calls != 1 || len(seen) != 4 || !seen[0].DryRun || !seen[1].DryRun || seen[2].DryRun || seen[3].DryRun || seen[0].Target != s.URL ||
		seen[0].Intent != "send DELETE "+s.URL+" with 0 bytes" || seen[1].Intent != "store 1 bytes under the key a" || seen[2].Intent != "" {
		t.Errorf("%d calls, %+v", calls, seen)
	}
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rootsOf writes the certificate of a TLS test server into a file.
func rootsOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roots.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func portOfServer(t *testing.T, s *httptest.Server) int {
	t.Helper()
	n, err := strconv.Atoi(mustURL(t, s.URL).Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
