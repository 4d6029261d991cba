package api_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"sync"
	"testing"
	"time"

	"octopus/e2e/history"
	"octopus/internal/stall"
	"octopus/sdk"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// page is a live page: it shows what a stream tells it, and reads its list when it is told to.
type page struct {
	mu      sync.Mutex
	shown   map[string]string // guarded by mu: status by execution
	at      *url.URL          // guarded by mu: the server behind the address
	since   time.Time         // guarded by mu: of the connection
	streams int               // guarded by mu
}

// RoundTrip sends a request to the server that answers at the page's address now.
func (p *page) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	r.URL.Host = p.at.Host
	p.mu.Unlock()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusOK && r.URL.Path == "/api/v1/events" {
		p.mu.Lock()
		p.since, p.streams = time.Now(), p.streams+1
		p.mu.Unlock()
	}
	return res, err
}

func (p *page) move(t *testing.T, address string) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
}

func (p *page) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams
}

func (p *page) status(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown[id]
}

// follow keeps the page true, as far as the server helps it to.
func (p *page) follow(ctx context.Context, c *sdk.Client) {
	_ = c.Events(ctx, []string{"executions"}, func(e sdk.ServerEvent) error {
		var list []sdk.Execution
		switch e.Name {
		case "resync":
			all, err := c.Executions(ctx, sdk.ExecutionFilter{})
			if err != nil {
				return err
			}
			list = all.Items
		case "execution.updated":
			x, err := e.Execution()
			if err != nil {
				return err
			}
			list = append(list, x)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, x := range list {
			p.shown[x.ID] = x.Status
		}
		return nil
	})
}

// restartUnderPage has a page follow an execution over a restart of the server: it ends while the page is away.
func restartUnderPage(t *testing.T) []history.Violation {
	t.Helper()
	database := storetest.SQLite(t)
	before := newWorldOn(t, database)
	agent := before.agent("web-01", 2)
	p := &page{shown: make(map[string]string)}
	p.move(t, before.client.BaseURL())
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	client := sdk.New("http://octopus.test", before.token, sdk.WithRetries(1000), sdk.WithHTTPClient(&http.Client{Transport: p}))
	following.Go(func() { p.follow(ctx, client) })
	defer following.Wait()
	defer cancel()
	eventually(t, "the page is connected", func() bool { return p.connections() == 1 })
	run, err := before.client.StartRun(t.Context(), greet(map[string]any{"hold": true}))
	if err != nil {
		t.Fatal(err)
	}
	id := run.Executions[0].ID
	eventually(t, "the page shows it running", func() bool { return p.status(id) == "running" })

	after := serve(t, database)     // the server that comes after it, on the same database
	p.move(t, "http://127.0.0.1:1") // it does not answer yet
	before.api.Stop()               // its streams end
	agent.release()
	eventually(t, "it has ended", func() bool { return endedExecutions(t, before)[0].Status == "succeeded" })
	p.move(t, after.url)
	eventually(t, "the page is connected again", func() bool { return p.connections() == 2 })
	const promised = 2100 * time.Millisecond
	for began, stalled := time.Now(), stall.Watch(t); time.Since(began) < promised+stalled(); {
		time.Sleep(promised / 20)
	}
	p.mu.Lock()
	view := history.View{Observer: "page", Since: p.since, At: time.Now(), Shown: maps.Clone(p.shown)}
	p.mu.Unlock()
	return history.Check(history.History{Views: []history.View{view}, Stored: endedExecutions(t, after)})
}

func endedExecutions(t *testing.T, w *world) (list []history.Execution) {
	t.Helper()
	all, _, err := w.store.Executions(t.Context(), store.ExecutionFilter{}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		list = append(list, history.Execution{ID: x.ID, Status: string(x.Status), FinishedAt: x.FinishedAt.Add(-2 * time.Second)})
	}
	return list
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestPageOverRestart is promise 8 (DESIGN §2) where a server was restarted under a page.
func TestPageOverRestart(t *testing.T) {
	t.Parallel()
	for _, v := range restartUnderPage(t) {
		t.Error(v)
	}
}
