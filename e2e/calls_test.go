//go:build linux

package e2e_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

const canaryText = "the canary sings"

// secretPlace is what a plugin must not reach: a file beside the folder that it was given, and a server that listens on
// the agent's own machine.
type secretPlace struct {
	given, canary string
	host, port    string
	hits          atomic.Int64
	hop           string // a server that may be asked, and sends everybody to the other one
}

func newSecretPlace(t *testing.T) *secretPlace {
	t.Helper()
	folder := t.TempDir()
	p := &secretPlace{given: filepath.Join(folder, "given"), canary: filepath.Join(folder, "canary")}
	witness := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.hits.Add(1)
		fmt.Fprint(w, canaryText)
	}))
	t.Cleanup(witness.Close)
	p.host, p.port, _ = net.SplitHostPort(witness.Listener.Addr().String()) // it is one
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	hop := httptest.NewUnstartedServer(http.RedirectHandler(witness.URL, http.StatusFound))
	hop.Listener.Close()
	hop.Listener = listener
	hop.Start()
	t.Cleanup(hop.Close)
	p.hop = hop.URL
	for path, text := range map[string]string{p.canary: canaryText, filepath.Join(p.given, "open"): "you may read this"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": p.canary, "up": "..", "chain": "up/canary", "loop": "loop", "proc": "/proc/self/environ"} {
		if err := os.Symlink(to, filepath.Join(p.given, name)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// urls are ways to say "this machine", or what else nobody was granted.
func (p *secretPlace) urls() []string {
	urls := []string{p.hop + "/", "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "file://" + p.canary, "gopher://127.0.0.1:" + p.port + "/_GET", "//127.0.0.1", ""}
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.",
		"0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]",
		"[2002:7f00:1::]", "[fe80::1%25lo]", "user:password@127.0.0.1", "example.com@127.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "127.0.0.1%00.example.com",
	} {
		urls = append(urls, "http://"+host+":"+p.port+"/")
	}
	return append(urls, "http://127.0.0.1:"+p.port+"#@example.com/", `http://example.com\@127.0.0.1:`+p.port+"/", "http://127.0.0.1:"+p.port+"\r\nHost: example.com")
}

// paths are ways out of the folder.
func (p *secretPlace) paths() []string {
	g := p.given
	return []string{
		p.canary, "/etc/passwd", g + "/../canary", g + "/./x/../../canary", g + "//..//canary", g + "/link", g + "/chain", g + "/up/canary", g + "/up/up/etc/passwd",
		g + "/loop", g + "/proc", g, g + "/", "canary", "../canary", "", ".", g + "\x00/open", g + "/open\x00", "~/canary", "file://" + p.canary, `C:\Windows\win.ini`, `\\?\C:\x`,
		"/proc/self/root" + p.canary, "/proc/self/environ", "/dev/zero", "/dev/tty", g + "/" + strings.Repeat("../", 2000) + "etc/passwd", strings.Repeat("a", 40_000),
	}
}

// TestHostileCalls: a plugin that was granted any host at public addresses, and one folder, gets nothing else by any
// spelling. Each attempt ends with a sentence; the canary is unread and the witness unvisited.
func TestHostileCalls(t *testing.T) {
	t.Parallel()
	p := newSecretPlace(t)
	w := harness.New(t)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("capabilities:\n  http: true\n  net: true\n  files: [{path: "+p.given+", mode: rw}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Agent("web-01", "--policy", policy)
	name := upload(t, w, "puppet", `capabilities:
  http: {hosts: ["*"], addresses: [public, 127.0.0.2/32], methods: ["*"], reason: To ask}
  net: {hosts: ["*"], addresses: [public], reason: To look}
  files: [{path: `+p.given+`, mode: rw, reason: To read}]
`)
	if out, code := w.Octopus("plugins", "grant", name); code != 0 {
		t.Fatalf("grant: exit code %d\n%s", code, out)
	}
	pull := func(op string, req any) (reply map[string]any) {
		t.Helper()
		return puppet(t, w, name, op, req)
	}
	if reply := pull("file.read", map[string]any{"path": p.given + "/open"}); reply["body"] != "you may read this" {
		t.Fatalf("what is granted is not given: %v", reply)
	}
	refused := func(op string, req map[string]any) {
		t.Helper()
		reply := pull(op, req)
		failure, _ := reply["error"].(map[string]any)
		message, _ := failure["message"].(string)
		raw, _ := json.Marshal(reply) // it was JSON
		if failure == nil || !strings.HasSuffix(message, ".") || strings.Contains(string(raw), canaryText) {
			t.Errorf("%s %.200v: %.300s", op, req, raw)
		}
	}
	for _, u := range p.urls() {
		refused("http.fetch", map[string]any{"url": u, "timeout_seconds": 5})
	}
	for _, host := range []string{"127.0.0.1", "127.1", "localhost", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0", "169.254.169.254", "/var/run/docker.sock"} {
		reply := pull("tcp.probe", map[string]any{"host": host, "port": json.Number(p.port), "timeout_seconds": 5})
		if reply["ok"] == true {
			t.Errorf("tcp.probe of %s: %v", host, reply)
		}
	}
	for _, path := range p.paths() {
		refused("file.read", map[string]any{"path": path})
		refused("file.write", map[string]any{"path": path, "body": "overwritten"})
	}
	refused("file.read", map[string]any{"path": p.given + "/open", "max_bytes": -1})
	refused("exec.run", map[string]any{"name": "sh", "args": []string{"-c", "id"}})
	refused("kv.get", map[string]any{"key": "x"})
	refused("http.fetch", map[string]any{"url": "http://127.0.0.2/", "headers": map[string]string{"X\r\nHost": "example.com"}})
	refused("http.fetch", map[string]any{"url": "http://127.0.0.2/", "method": "GET / HTTP/1.1\r\nX:"})
	refused("no.such", map[string]any{})
	refused(strings.Repeat("x", 60), map[string]any{})

	if n := p.hits.Load(); n > 0 {
		t.Errorf("the witness was visited %d times", n)
	}
	if text, err := os.ReadFile(p.canary); err != nil || string(text) != canaryText {
		t.Errorf("the canary says %q, %v", text, err)
	}
}

// puppet has the module of that name make one host call, and returns the reply.
func puppet(t *testing.T, w *harness.World, plugin, op string, req any) (reply map[string]any) {
	t.Helper()
	raw, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	params, err := json.Marshal(map[string]string{"op": hex.EncodeToString([]byte(op)), "req": hex.EncodeToString(raw)})
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.Client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: plugin, Action: "run", Params: params}}, sdk.WithWait(30*time.Second))
	if err == nil && !run.Ended() {
		run, err = w.Client.WaitRun(t.Context(), run.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != "succeeded" || x.Response == nil {
		t.Fatalf("%s %.200s ended as %s %+v", op, raw, x.Status, x.Reason)
	}
	if err := json.Unmarshal(x.Response.Result, &reply); err != nil {
		t.Fatalf("%s %.200s: reply %q: %v", op, raw, x.Response.Result, err)
	}
	return reply
}
