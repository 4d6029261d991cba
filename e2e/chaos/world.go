//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// Options say what is run and how it is hurt.
type Options struct {
	Seed     uint64        // of the plan of faults and of what clients do
	Duration time.Duration // of the faults; healing and judging come on top
	Pace     time.Duration // the mean time between two faults
	Servers  int
	Database string // a PostgreSQL URL; "" is one SQLite file, and then there is one server
	Agents   int
	Clients  int
	Flags    []string // further ones of each server
	Env      []string // of every process
	Slots    int      // of each agent. Defaults to 4
	Cable    bool     // all agents but the last are on a site of their own, see cable
	Only     []string // classes of targets that are hurt. Defaults to all
	Bus      bool     // servers have one between them, a bad one, where the binary can: see switchboard
}

// world is what a chaos test runs: servers, agents, links, a witness.
type world struct {
	t      testing.TB
	o      Options
	dir    string
	binary string // a name of its own, so that /proc tells whose process one is

	servers   []*process
	addresses []string // of the servers
	agents    []*process
	links     []*Proxy // of the agents, by index
	homes     []*home  // of the agents, by index; nil: each connection goes to any server
	board     *switchboard
	cable     *cable   // nil without a site
	polls     int      // sessions of long polls, counted at the end
	doors     []*Proxy // of the clients: first those who submit, then the streams
	disks     map[string]string
	witness   *witness
	token     string // of the API
	join      string

	mu       sync.Mutex
	unwell   map[string]time.Time // guarded by mu: until when a target of faults is hurt
	journals journals             // guarded by mu
	story    []string             // guarded by mu: what was done, and when
}

// streams is how many streams of events are followed.
const streams = 2

// build starts everything and waits until it works. What it started ends with the test.
func build(t testing.TB, o Options) *world {
	t.Helper()
	o.Slots = max(o.Slots, 4)
	w := &world{t: t, o: o, dir: t.TempDir(), disks: make(map[string]string), unwell: make(map[string]time.Time), journals: make(journals)}
	w.binary = filepath.Join(w.dir, "octopus")
	if err := cloneFile(harness.Binary(t), w.binary); err != nil {
		t.Fatal(err)
	}
	var err error
	at := "127.0.0.1"
	if o.Cable {
		if w.cable, err = newCable(); err != nil {
			t.Skipf("this machine allows no network namespaces: %v", err)
		}
		at = w.cable.witness
		t.Cleanup(func() {
			if err := w.cable.remove(); err != nil {
				t.Error(err)
			}
		})
	}
	if w.witness, err = newWitness(at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.witness.close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what was done:\n%s", strings.Join(w.story, "\n"))
		}
	})
	if o.Bus {
		if w.board, err = newSwitchboard(o.Seed); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.board.close)
	}
	w.bootstrap()
	w.startServers()
	w.publish()
	w.startAgents()
	for range o.Clients + streams {
		w.doors = append(w.doors, w.proxy())
	}
	return w
}

// cloneFile links, or copies to another disk.
func cloneFile(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o700)
}

// proxy makes a link to the servers. Each connection goes to one by chance, to the next where that one is gone.
func (w *world) proxy() *Proxy {
	w.t.Helper()
	return w.keep(NewProxy(func() []string {
		list := slices.Clone(w.addresses)
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}))
}

// database is the flags that name it.
func (w *world) database(i int) []string {
	flags := []string{"--data", w.dataOf(i)}
	if w.o.Database != "" {
		flags = append(flags, "--database", w.o.Database)
	}
	return flags
}

func (w *world) dataOf(i int) string { return filepath.Join(w.dir, "server-"+strconv.Itoa(i)) }

// storeURL is what the store is opened with afterwards.
func (w *world) storeURL() string {
	if w.o.Database != "" {
		return w.o.Database
	}
	return filepath.Join(w.dataOf(0), "octopus.db")
}

func (w *world) bootstrap() {
	w.t.Helper()
	if w.o.Database == "" {
		w.disk(w.dataOf(0), w.diskSize())
	}
	cmd := exec.Command(w.binary, append([]string{"bootstrap", "--admin", "ada", "--json"}, w.database(0)...)...)
	out, err := cmd.Output()
	var made harness.Bootstrapped
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		w.t.Fatalf("bootstrap printed %q: %v", out, err)
	}
	w.token, w.join = made.APIToken, made.JoinToken
}

// diskSize leaves the database of a long run room to grow. What fills a small disk takes memory.
func (w *world) diskSize() string {
	if w.o.Duration > 2*time.Minute {
		return "1536m"
	}
	return "96m"
}

// disk mounts a small disk where that is allowed. Where it is not, disks are not filled.
func (w *world) disk(dir, size string) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size) != nil {
		return
	}
	w.disks[filepath.Base(dir)] = dir
	w.t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func (w *world) process(name string, args ...string) *process {
	p := &process{name: name, dir: w.dir, argv: append([]string{w.binary}, args...), env: w.o.Env}
	w.t.Cleanup(func() {
		p.kill()
		if kept := os.Getenv("CHAOS_LOGS"); kept != "" {
			cloneFile(p.logPath(), filepath.Join(kept, name+".log"))
		}
		if w.t.Failed() {
			w.t.Logf("%s printed at its end:\n%s", name, p.log(8<<10))
		}
	})
	return p
}

func (w *world) startServers() {
	w.t.Helper()
	for i := range max(w.o.Servers, 1) {
		address := harness.FreeAddress(w.t)
		listen := address
		if w.cable != nil {
			listen = everywhere(address)
		}
		args := append([]string{"server", "--listen", listen}, w.database(i)...)
		p := w.process("server-"+strconv.Itoa(i), append(args, w.o.Flags...)...)
		if w.board != nil {
			p.env = append(slices.Clone(p.env), envBus+"="+w.board.address())
		}
		w.servers, w.addresses = append(w.servers, p), append(w.addresses, address)
		if err := p.start(); err != nil {
			w.t.Fatal(err)
		}
		w.until("server answers", func(ctx context.Context) error {
			_, err := w.direct(i).Me(ctx)
			return err
		})
	}
}

// direct is a client without a proxy.
func (w *world) direct(i int) *sdk.Client {
	return sdk.New("http://"+w.addresses[i], w.token, sdk.WithRetries(0), sdk.WithHTTPClient(lonely))
}

// lonely opens a connection for each request: none outlives a server that is killed.
var lonely = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
}}

// publish packs, uploads and grants the witness plugin, and turns off those that agents would compile for minutes.
func (w *world) publish() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	module := filepath.Join(w.dir, "witness.wasm")
	raw, err := os.ReadFile(filepath.Join("testdata", "witness.wasm"))
	if err == nil {
		err = os.WriteFile(module, raw, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	manifest, _ := filepath.Abs(filepath.Join("testdata", "plugin.yaml"))
	if out, err := exec.Command(w.binary, "plugins", "pack", module, "--manifest", manifest).CombinedOutput(); err != nil {
		w.t.Fatalf("pack: %v\n%s", err, out)
	}
	if raw, err = os.ReadFile(module); err != nil {
		w.t.Fatal(err)
	}
	c := w.direct(0)
	plugins, err := c.Plugins(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range plugins.Items {
		for _, v := range p.Versions {
			if err := c.EnablePlugin(ctx, p.Name, v.Version, false); err != nil {
				w.t.Fatalf("disable %s: %v", p.Name, err)
			}
		}
	}
	if _, err = c.UploadPlugin(ctx, raw); err == nil {
		_, err = c.Grant(ctx, sdk.NewGrant{Plugin: "witness"})
	}
	if err != nil {
		w.t.Fatalf("publish: %v", err)
	}
}

func (w *world) agentName(i int) string { return fmt.Sprintf("web-%02d", i) }

func (w *world) startAgents() {
	w.t.Helper()
	for i := range w.o.Agents {
		name := w.agentName(i)
		data := filepath.Join(w.dir, name)
		if i == 0 {
			w.disk(data, "80m")
		}
		link, transport := w.way(i)
		url := link.URL()
		if w.onSite(i) {
			url = w.siteURL()
		}
		p := w.process(name, "agent", "--server", url, "--token", w.join, "--name", name, "--data", data,
			"--slots", strconv.Itoa(w.o.Slots), "--transport", transport)
		if w.onSite(i) {
			p.argv = append(w.cable.inside(), append(p.argv, "--insecure")...)
		}
		w.agents, w.links = append(w.agents, p), append(w.links, link)
		if err := p.start(); err != nil {
			w.t.Fatal(err)
		}
	}
	w.until("all agents are online and have run something", func(ctx context.Context) error {
		start := w.work(0)
		start.Target = sdk.Target{Mode: "all"}
		run, err := w.direct(0).StartRun(ctx, start, sdk.WithWait(20*time.Second))
		if err == nil && (run.Total != w.o.Agents || run.Status != "succeeded") {
			err = fmt.Errorf("a run on all agents is %s with %d executions", run.Status, run.Total)
		}
		return err
	})
}

// until tries until something works.
func (w *world) until(what string, try func(context.Context) error) {
	w.t.Helper()
	err := errors.New("not tried")
	for deadline := time.Now().Add(90 * time.Second); err != nil; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		err = try(ctx)
		cancel()
		if err != nil && time.Now().After(deadline) {
			w.t.Fatalf("not within 90 s: %s: %v", what, err)
		}
	}
}

// hurt notes that a target is not well until a moment.
func (w *world) hurt(target string, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.unwell[target]) {
		w.unwell[target] = until
	}
}

// wellSince is when the last of these targets was well again; false: one is not.
func (w *world) wellSince(now time.Time, targets func(string) bool) (since time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for target, until := range w.unwell {
		if !targets(target) {
			continue
		}
		if until.After(now) {
			return since, false
		}
		if until.After(since) {
			since = until
		}
	}
	return since, true
}

// isServer tells the targets whose faults every stream of events feels.
func isServer(target string) bool { return strings.HasPrefix(target, "server-") }
