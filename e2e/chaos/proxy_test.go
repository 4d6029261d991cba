//go:build linux

package chaos

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// echoed opens a connection through a proxy to a server that answers with what it gets.
func echoed(t *testing.T) (*Proxy, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	p, err := NewProxy(func() []string { return []string{"127.0.0.1:1", ln.Addr().String()} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p, c
}

// ask sends text and returns how much of it came back within a time, and how long that took.
func ask(t *testing.T, c net.Conn, n int, within time.Duration) (int, time.Duration, error) {
	t.Helper()
	began := time.Now()
	if _, err := c.Write(make([]byte, n)); err != nil {
		return 0, 0, err
	}
	c.SetReadDeadline(began.Add(within))
	got, err := io.ReadFull(c, make([]byte, n))
	return got, time.Since(began), err
}

func TestProxy(t *testing.T) {
	t.Parallel()
	t.Run("pass", func(t *testing.T) {
		t.Parallel()
		_, c := echoed(t)
		if n, _, err := ask(t, c, 100_000, 10*time.Second); n != 100_000 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	t.Run("hold", func(t *testing.T) {
		t.Parallel()
		p, c := echoed(t)
		p.Set(Hold, Hold)
		if n, _, err := ask(t, c, 10, 300*time.Millisecond); n != 0 || err == nil {
			t.Errorf("%d bytes came through, %v", n, err)
		}
		p.Set(Pass, Pass)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := io.ReadFull(c, make([]byte, 10)); n != 10 {
			t.Errorf("what was held did not come: %d bytes, %v", n, err)
		}
	})
	t.Run("lose", func(t *testing.T) {
		t.Parallel()
		p, c := echoed(t)
		p.Set(Pass, Lose)
		if n, _, _ := ask(t, c, 10, 300*time.Millisecond); n != 0 {
			t.Errorf("%d bytes came through", n)
		}
		p.Set(Pass, Pass)
		if n, _, err := ask(t, c, 10, 10*time.Second); n != 0 || err == nil {
			t.Errorf("a connection with a hole goes on: %d bytes", n)
		}
	})
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		p, c := echoed(t)
		if n, _, err := ask(t, c, 10, 10*time.Second); n != 10 {
			t.Fatal(err)
		}
		p.Reset()
		if _, _, err := ask(t, c, 10, 10*time.Second); err == nil {
			t.Error("the connection is still there")
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		p, c := echoed(t)
		p.Set(Slow, Pass)
		if n, took, err := ask(t, c, 1024, 30*time.Second); n != 1024 || took < 700*time.Millisecond {
			t.Errorf("%d bytes in %s, %v", n, took, err)
		}
	})
	t.Run("delay", func(t *testing.T) {
		t.Parallel()
		p, c := echoed(t)
		p.Set(Pass, Delay)
		if n, took, err := ask(t, c, 10, 30*time.Second); n != 10 || took < delayBy {
			t.Errorf("%d bytes in %s, %v", n, took, err)
		}
	})
}

// TestGate: requests pass, an upgrade arrives as an ordinary request.
func TestGate(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %q", r.Method, body, r.Header.Get("Upgrade"), r.Header.Get("X-Kept"))
	}))
	t.Cleanup(server.Close)
	g, err := newGate(newHome([]string{"127.0.0.1:1", server.Listener.Addr().String()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.address()+"/", strings.NewReader("frames"))
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("X-Kept", "yes")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `POST frames "" "yes"` {
		t.Errorf("the server got %q, %v", body, err)
	}
}

// TestPlan draws the same faults from the same seed, and never hurts the last server.
func TestPlan(t *testing.T) {
	t.Parallel()
	targets := map[string][]string{"server": {"server-0", "server-1", "server-2"}, "agent": {"agent-0", "agent-1"}, "link": {"link-0"}, "door": {"door-0"}}
	o := Options{Seed: 5, Duration: time.Hour, Pace: time.Second}
	faults := plan(o, targets)
	if again := plan(o, targets); !reflect.DeepEqual(faults, again) {
		t.Error("the same seed gives another plan")
	}
	if o.Seed = 6; reflect.DeepEqual(faults, plan(o, targets)) {
		t.Error("another seed gives the same plan")
	}
	if len(faults) < 1000 {
		t.Errorf("%d faults in an hour", len(faults))
	}
	until := make(map[string]time.Duration)
	for _, f := range faults {
		if f.at < until[f.target] {
			t.Errorf("%s: the target is still hurt", f)
		}
		until[f.target] = f.at + f.lasts
		hurt := 0
		for _, s := range targets["server"] {
			if until[s] > f.at {
				hurt++
			}
		}
		if hurt == 3 {
			t.Errorf("%s: no server is left", f)
		}
	}
}
