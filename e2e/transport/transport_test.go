// Package transport_test runs agents behind proxies that break WebSockets, each in its own way.
package transport_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// TestBentProxies: whatever a proxy does to WebSockets, an agent behind it works, and says how it is connected.
func TestBentProxies(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Parallel()
	for name, c := range map[string]struct {
		proxy   func(t *testing.T, target string) string
		because string
	}{
		"refuses":  {refusing, "against the policy"},
		"buffers":  {buffering, "no WebSocket comes through"},
		"cuts-off": {cutting, "a WebSocket breaks soon after it opened (3 in a row)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.New(t)
			agent := w.StartAgent(name, "--server", c.proxy(t, w.URL))
			w.Until(name+" is connected by long polls", func(ctx context.Context) bool {
				a, err := w.Client.Agent(ctx, name)
				return err == nil && a.Status == "online" && a.Facts.Transport == "http" && strings.Contains(a.Facts.TransportReason, c.because)
			})
			agent.WaitLine("connected by HTTP long-poll")
			work(t, w, name)
			out, code := local(t, w, "agent", "status", "--data", w.Folder+"/agent-"+name)
			if code != 0 || !strings.Contains(out, "connected by HTTP long-poll, because") {
				t.Errorf("status: %d\n%s", code, out)
			}
			if name == "cuts-off" {
				return
			}
			out, code = local(t, w, "agent", "check", "--data", w.Folder+"/agent-"+name)
			if code != 0 || !strings.Contains(out, "✗ upgrade") || !strings.Contains(out, "✓ polls") {
				t.Errorf("check: %d\n%s", code, out)
			}
		})
	}
}

// TestForcedTransport: --transport decides.
func TestForcedTransport(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	t.Parallel()
	w := harness.New(t)
	w.Agent("polls", "--transport", "http")
	if a, err := w.Client.Agent(t.Context(), "polls"); err != nil || a.Facts.Transport != "http" || !strings.Contains(a.Facts.TransportReason, "--transport http") {
		t.Errorf("%+v %v", a.Facts, err)
	}
	work(t, w, "polls")
	stubborn := w.StartAgent("stubborn", "--transport", "websocket", "--server", refusing(t, w.URL))
	stubborn.WaitLine("no WebSocket comes through")
}

// local runs a command that talks to no server's API.
func local(t *testing.T, w *harness.World, args ...string) (string, int) {
	t.Helper()
	p := harness.Start(t, "octopus "+strings.Join(args, " "), w.Folder, args...)
	code := p.Wait()
	return strings.Join(p.Lines(), "\n"), code
}

// work runs something on an agent and wants to see a log line of it while it runs, which it does until it is cancelled;
// then something to its end.
func work(t *testing.T, w *harness.World, agent string) {
	t.Helper()
	start := func(seconds, lines int) sdk.StartRun {
		return sdk.StartRun{Work: sdk.Work{
			Plugin: "echo", Action: "echo", Target: sdk.Target{Mode: "agent", Agent: agent},
			Params: sdk.JSON(map[string]any{"message": "hello", "delay_seconds": seconds, "log_lines": lines}),
		}}
	}
	run := w.Running(start(800, 800))
	if _, err := w.Client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if run = w.Ended(run.ID); run.Status != "cancelled" || run.Executions[0].Attempt != 1 {
		t.Errorf("what was cancelled %s at attempt %d", run.Status, run.Executions[0].Attempt)
	}
	if run = w.Run(start(4, 4)); run.Status != "succeeded" || run.Executions[0].Attempt != 1 {
		t.Errorf("the run %s at attempt %d", run.Status, run.Executions[0].Attempt)
	}
}

func reverse(t *testing.T, target string) *httputil.ReverseProxy {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = transport
	return proxy
}

// refusing is a proxy that allows no upgrades.
func refusing(t *testing.T, target string) string {
	proxy := reverse(t, target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "WebSockets are against the policy of this company.", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// buffering is a proxy that knows no upgrades and passes an answer on when it has all of it.
func buffering(t *testing.T, target string) string {
	proxy := reverse(t, target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// cutting is a proxy that lets no connection live longer than 3 s.
func cutting(t *testing.T, target string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { cut(ctx, conn, strings.TrimPrefix(target, "http://"), 3*time.Second) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		cancel()
		wg.Wait()
	})
	return "http://" + ln.Addr().String()
}

func cut(ctx context.Context, conn net.Conn, target string, after time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close()
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	for _, way := range [][2]net.Conn{{conn, out}, {out, conn}} {
		wg.Go(func() {
			defer cancel()
			io.Copy(way[0], way[1])
		})
	}
	<-ctx.Done()
}
