package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// canary is what a module must never get: it is in a file beside the granted folder, and the witness answers with it.
const canary = "the canary sings"

// ways are modules of the hostile corpus (wasmplugins/testdata) that look for a way around their grant, and the codes
// that they may be refused with. What they put into the middle of their request is the witness's port or the granted
// folder.
var ways = map[string][]string{
	"fetch_short": {"dns"}, "fetch_decimal": {"dns"}, "fetch_hex": {"dns"}, "fetch_octal": {"dns"}, // names for a resolver, and numbers for none
	"fetch_any": {"denied"}, "fetch_name": {"denied"}, "fetch_wide": {"denied"}, "fetch_loopback6": {"denied"},
	"fetch_mapped": {"denied"}, "fetch_compatible": {"denied"}, "fetch_nat64": {"denied"}, "fetch_6to4": {"denied"},
	"fetch_metadata": {"denied"}, "fetch_metadata6": {"denied"},
	"fetch_userinfo": {"invalid_request"}, "fetch_backslash": {"invalid_request"}, "fetch_header": {"invalid_request"}, "fetch_fragment": {"denied"},
	"fetch_redirect": {"denied"}, "fetch_rebind": {"denied"}, "fetch_rebind_meta": {"denied"},
	"fetch_mixed": {"denied", "refused"}, // the dead address is tried first, or the inner one
	"probe_inner": {"denied"},
	"file_dots":   {"denied", "invalid_request"}, "file_outside": {"denied"}, "file_link": {"denied"}, "file_chain": {"denied"},
	"file_nul": {"invalid_request", "denied"}, "file_overwrite": {"", "denied", "not_a_file"}, // writing may put a file in place of the link
	"file_race": {"", "denied", "not_found", "not_a_file"}, // whatever is there at last
}

// TestCorpusOfCalls runs those modules in the sandbox, each with everything granted but what it wants. The witness is
// never asked, and the canary stays unread and as it was.
func TestCorpusOfCalls(t *testing.T) {
	t.Parallel()
	var hits, welcomed atomic.Int64
	witness := neighbours(t, &hits, &welcomed)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(witness.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	names := newNameServer(t, map[string][]string{"mixed.example.": {"127.0.0.3", "127.0.0.1"}})
	fine := []string{"127.0.0.2"} // three times: an answer that comes late is asked for again
	names.turn("rebind.example.", fine, fine, fine, []string{"127.0.0.1"})
	names.turn("rebind-meta.example.", fine, fine, fine, []string{"169.254.169.254"})
	dir := trapped(t)
	given, owner := []spec.File{{Path: filepath.Join(dir, "given"), Mode: "rw"}}, "capabilities:\n  http: true\n  net: true\n  files: [{path: "+dir+", mode: rw}]\n"
	config := Config{
		Grant: spec.Capabilities{
			HTTP:  &spec.HTTP{Hosts: []string{"*"}, Addresses: []string{spec.Public, "127.0.0.2/31"}, Methods: []string{"*"}},
			Net:   &spec.Net{Hosts: []string{"*"}, Addresses: []string{spec.Public}},
			Files: given,
		},
		Policy: parse(t, owner), Resolver: names.resolver(),
	}
	pool, digests := sandbox(t)
	t.Run("ways", func(t *testing.T) {
		for name, want := range ways {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				middle := port
				if strings.HasPrefix(name, "file_") {
					middle = given[0].Path
				}
				if name == "file_race" {
					rename(t, middle)
				}
				out := pool.Run(t.Context(), wasmplugins.Job{Digest: digests[name], Timeout: 5 * time.Minute, Request: []byte(middle)}, newBroker(t, config))
				var reply struct {
					Error Error `json:"error"`
				}
				if err := json.Unmarshal(out.Response.Result, &reply); out.Response.StatusCode != http.StatusOK || err != nil {
					t.Fatalf("ended as %+v (%v, %v)", out.Response, out.Err, err)
				}
				if !slices.Contains(want, reply.Error.Code) || reply.Error.Code != "" && !strings.HasSuffix(reply.Error.Message, ".") {
					t.Errorf("the host answered %s", out.Response.Result)
				}
			})
		}
	})
	if n := hits.Load(); n > 0 {
		t.Errorf("the witness was asked %d times", n)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "canary")); string(raw) != canary || err != nil {
		t.Errorf("the canary is %q now, %v", raw, err)
	}
	// Both names were taken for what they said at first: it was the change that was refused.
	if n := welcomed.Load(); n < 2 {
		t.Errorf("a server that may be fetched was fetched %d times", n)
	}
}

// neighbours are a witness on 127.0.0.1 and, on the same port of 127.0.0.2, a server that may be fetched.
func neighbours(t *testing.T, hits, welcomed *atomic.Int64) *httptest.Server {
	t.Helper()
	for range 20 {
		w := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			fmt.Fprint(w, canary)
		}))
		t.Cleanup(w.Close)
		_, port, _ := net.SplitHostPort(w.Listener.Addr().String()) // it is one
		listener, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err != nil {
			continue // somebody has that port
		}
		hop := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/away" {
				http.Redirect(out, r, w.URL, http.StatusFound)
				return
			}
			welcomed.Add(1)
			fmt.Fprint(out, "welcome")
		}))
		hop.Listener.Close()
		hop.Listener = listener
		hop.Config.SetKeepAlivesEnabled(false) // each fetch looks the name up
		hop.Start()
		t.Cleanup(hop.Close)
		return w
	}
	t.Skip("this system has no second loopback address")
	return nil
}

// trapped is a folder with one that is granted, a canary beside it, and links from the one to the other.
func trapped(t *testing.T) string {
	t.Helper()
	dir := folder(t, map[string]string{"canary": canary, "given/open": "fine", "given/d/a": "fine", "outside/a": canary})
	given := filepath.Join(dir, "given")
	for name, to := range map[string]string{"link": "../canary", "up": "..", "chain": "up/canary", "aside": "../outside"} {
		if err := os.Symlink(to, filepath.Join(given, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rename has somebody rename a link to the outside into a path and out of it until the test ends.
func rename(t *testing.T, given string) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, step := range [][2]string{{"d", "real"}, {"aside", "d"}, {"d", "aside"}, {"real", "d"}} {
				_ = os.Rename(filepath.Join(given, step[0]), filepath.Join(given, step[1]))
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
}

// stock holds modules by digest.
type stock map[string][]byte

func (s stock) load(_ context.Context, digest string) ([]byte, error) { return s[digest], nil }

// sandbox is a pool whose runners are this test's own program, with the modules of ways.
func sandbox(t *testing.T) (*wasmplugins.Pool, map[string]string) {
	t.Helper()
	modules, digests := stock{}, map[string]string{}
	for name := range ways {
		raw, err := os.ReadFile(filepath.Join("..", "..", "wasmplugins", "testdata", name+".wasm"))
		if err != nil {
			t.Fatal(err)
		}
		digests[name] = wasmplugins.Digest(raw)
		modules[digests[name]] = raw
	}
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}, MaxRunners: 3, CompileTimeout: 5 * time.Minute, Load: modules.load,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool, digests
}
