package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// witness counts the starts of executions outside Octopus: each asks for an address of its own.
type witness struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int // guarded by mu
}

func newWitness(t *testing.T) *witness {
	w := &witness{seen: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen[r.URL.Path]++
		n := len(w.seen)
		w.mu.Unlock()
		if n%4 == 0 { // so that something always runs
			time.Sleep(400 * time.Millisecond)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) starts() (n int, twice []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, k := range w.seen {
		if n += k; k > 1 {
			twice = append(twice, path)
		}
	}
	return n, twice
}

// load is clients that start runs until they are stopped, and what was acknowledged to them.
type load struct {
	stop func() // and wait

	mu   sync.Mutex
	runs []string // guarded by mu
}

func startLoad(t *testing.T, w *harness.World, url string) *load {
	ctx, cancel := context.WithCancel(t.Context())
	pace := time.NewTicker(30 * time.Millisecond) // a queue of a thousand says no more than one of fifty
	l := &load{}
	var clients sync.WaitGroup
	for c := range 3 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				run, err := w.Client.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: "http-check", Action: "check",
					Params: sdk.JSON(map[string]any{"url": fmt.Sprintf("%s/%d/%d", url, c, i)})}})
				if err != nil {
					return
				}
				l.mu.Lock()
				l.runs = append(l.runs, run.ID)
				l.mu.Unlock()
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
	l.stop = func() {
		cancel()
		clients.Wait()
		pace.Stop()
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

// TestRestoreDrill backs up under load, goes on, kills the server, restores and starts again. Agents come back, every
// execution ends, and nothing ran twice: what the backup holds as waiting ran since, and its results are wanted by
// nobody any more.
func TestRestoreDrill(t *testing.T) {
	t.Parallel()
	seen := newWitness(t)
	w := harness.New(t)
	for _, name := range []string{"web-01", "web-02"} {
		w.Agent(name, "--slots", "2")
	}
	clients := startLoad(t, w, seen.URL)
	enough := func(n int) func(context.Context) bool {
		return func(context.Context) bool { return clients.count() >= n }
	}
	w.Until("there is a queue", enough(40))
	w.Until("some have run", func(context.Context) bool { n, _ := seen.starts(); return n >= 6 })
	before := clients.count()
	file := filepath.Join(w.Folder, "backup.db")
	if out, code := w.Octopus("backup", file); code != 0 {
		t.Fatalf("backup: %s", out)
	}
	w.Until("there was more since", enough(clients.count()+10))
	ranBefore, _ := seen.starts()
	w.Until("some of it ran since", func(context.Context) bool { n, _ := seen.starts(); return n >= ranBefore+6 })
	if out, code := w.Octopus("backup", file); code == 0 || !strings.Contains(out, "exists already") {
		t.Errorf("a backup over a backup: %d %s", code, out)
	}
	data := filepath.Join(w.Folder, "server")
	if out, code := w.Octopus("restore", file, "--data", data); code == 0 || !strings.Contains(out, "A server works on") {
		t.Errorf("restoring below a running server: %d %s", code, out)
	}
	address := w.Address
	began := time.Now()
	w.Server.Kill()
	clients.stop()
	if out, code := w.Octopus("restore", file, "--data", data); code != 0 {
		t.Fatalf("restore: %s", out)
	}
	w.StartServer(address)
	w.Online("web-01")
	w.Online("web-02")
	w.Until("every execution has ended", func(ctx context.Context) bool {
		list, err := w.Client.Executions(ctx, sdk.ExecutionFilter{Status: []string{"queued", "offered", "running"}})
		return err == nil && len(list.Items) == 0
	})
	t.Logf("all had ended %s after the kill", time.Since(began).Round(time.Millisecond))
	counts := map[string]int{}
	for _, id := range clients.runs[:before] {
		run, err := w.Client.Run(t.Context(), id)
		if err != nil {
			t.Fatalf("a run that was acknowledged before the backup: %v", err)
		}
		x := run.Executions[0]
		counts[x.Status]++
		if x.Status == "lost" && (x.Reason == nil || x.Reason.Code != "restored") {
			t.Errorf("%s: %+v", x.ID, x.Reason)
		}
	}
	if counts["lost"] == 0 || counts["succeeded"] == 0 {
		t.Errorf("the drill tried nothing: %v", counts)
	}
	starts, twice := seen.starts()
	if len(twice) > 0 {
		t.Errorf("started twice: %v", twice)
	}
	if got := w.Run(echo(map[string]any{"message": "after"})); got.Status != "succeeded" {
		t.Errorf("after: %s", got.Status)
	}
	t.Logf("%d runs, %d before the backup, %d starts witnessed, afterwards %v", clients.count(), before, starts, counts)
}
