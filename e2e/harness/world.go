package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"octopus/sdk"
)

// World is one server with its folder, to which agents can be added.
type World struct {
	t       testing.TB
	Folder  string
	Server  *Process
	URL     string // public
	Address string // that the server listens on
	Admin   Bootstrapped
	Client  *sdk.Client
	flags   []string
	home    string // the server's data folder, in Folder
}

// Bootstrapped is what `octopus bootstrap --json` prints.
type Bootstrapped struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	APIToken  string `json:"api_token"`
	JoinToken string `json:"join_token"`
}

// New bootstraps and starts a server on a free port, with its plugins granted and any further flags.
func New(t testing.TB, flags ...string) *World {
	t.Helper()
	return start(t, t.TempDir(), FreeAddress(t), flags)
}

// NewIn is [New] in a given folder.
func NewIn(t testing.TB, folder string, flags ...string) *World {
	t.Helper()
	return start(t, folder, FreeAddress(t), flags)
}

func start(t testing.TB, folder, listen string, flags []string) *World {
	t.Helper()
	return bootstrap(&World{t: t, Folder: folder, flags: flags, home: "server"}, listen)
}

// NewOn is [New] on a PostgreSQL database that [World.Beside] can share.
func NewOn(t testing.TB, database string) *World {
	t.Helper()
	return bootstrap(&World{t: t, Folder: t.TempDir(), flags: []string{"--database", database}, home: "server"}, FreeAddress(t), "--database", database)
}

// Beside starts a further server on the database of w, which must be PostgreSQL: its own process, address and data
// folder, and the keys that servers of one database share.
func (w *World) Beside() *World {
	w.t.Helper()
	other := &World{t: w.t, Folder: w.Folder, Admin: w.Admin, flags: w.flags, home: "beside"}
	if err := os.MkdirAll(filepath.Join(w.Folder, other.home), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for _, key := range []string{"signing.key", "secrets.key"} {
		raw, err := os.ReadFile(filepath.Join(w.Folder, w.home, key))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.Folder, other.home, key), raw, 0o600)
		}
		if err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
	other.StartServer(FreeAddress(w.t))
	return other
}

func bootstrap(w *World, listen string, flags ...string) *World {
	t := w.t
	t.Helper()
	args := append([]string{"bootstrap", "--data", filepath.Join(w.Folder, w.home), "--admin", "ada", "--json"}, flags...)
	out, err := run(w.Folder, Binary(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &w.Admin); err != nil {
		t.Fatalf("bootstrap printed %q: %v", out, err)
	}
	w.StartServer(listen)
	return w
}

// StartServer starts the server of this world (again), and returns when it answers.
func (w *World) StartServer(listen string) {
	w.t.Helper()
	args := append([]string{"server", "--listen", listen, "--data", filepath.Join(w.Folder, w.home), "--grant-builtins"}, w.flags...)
	w.Server = Start(w.t, w.home, w.Folder, args...)
	line := w.Server.WaitLine("Octopus listens on ")
	if _, err := fmt.Sscanf(line, "Octopus listens on %s and answers at %s", &w.Address, &w.URL); err != nil {
		w.t.Fatalf("the server printed %q: %v", line, err)
	}
	w.Client = sdk.New("http://"+w.Address, w.Admin.APIToken)
}

// Agent starts an agent with its own folder, and returns when the server has it online.
func (w *World) Agent(name string, flags ...string) *Process {
	w.t.Helper()
	p := w.StartAgent(name, flags...)
	w.Online(name)
	return p
}

// StartAgent starts an agent without waiting for it.
func (w *World) StartAgent(name string, flags ...string) *Process {
	w.t.Helper()
	Seed(w.t, filepath.Join(w.Folder, "agent-"+name))
	args := append([]string{"agent", "--server", w.URL, "--token", w.Admin.JoinToken, "--name", name,
		"--data", filepath.Join(w.Folder, "agent-"+name)}, flags...)
	return Start(w.t, name, w.Folder, args...)
}

// Online waits until the server says that the agent is online.
func (w *World) Online(name string) {
	w.t.Helper()
	w.Until("agent "+name+" is online", func(ctx context.Context) bool {
		agent, err := w.Client.Agent(ctx, name)
		return err == nil && agent.Status == "online"
	})
}

// Until polls a condition that the server will make true, and fails the test when it does not.
func (w *World) Until(what string, condition func(context.Context) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition(ctx) {
		select {
		case <-ctx.Done():
			w.t.Fatalf("not within %s: %s", Patience, what)
		case <-tick.C:
		}
	}
}

// The ports that servers of tests listen on: below those that systems give away by themselves, so that no connection of
// whomever takes the port of a server that was killed before it is back.
const (
	firstPort = 12_000
	ports     = 18_000
)

// nextPort makes each of a process's ports another one, and begins somewhere, because other tests run beside it.
var nextPort = func() *atomic.Int64 {
	n := new(atomic.Int64)
	n.Store(rand.Int64N(ports))
	return n
}()

// FreeAddress is a loopback address that nobody listens on, and that stays so until the test listens there.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%ports)
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// Octopus runs one command of the CLI in this world's folder and returns what it printed, its exit code included.
func (w *World) Octopus(args ...string) (string, int) {
	w.t.Helper()
	p := Start(w.t, "octopus "+strings.Join(args, " "), w.Folder, append(args, "--url", "http://"+w.Address, "--api-token", w.Admin.APIToken)...)
	code := p.Wait()
	return strings.Join(p.Lines(), "\n"), code
}
