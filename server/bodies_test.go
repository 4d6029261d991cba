package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"octopus/internal/stall"
)

// hungUp dribbles a byte at a time and says after how long the server hung up, but for what the machine kept us waiting.
func hungUp(t *testing.T, address, begin, dribble string) time.Duration {
	t.Helper()
	stalled := stall.Watch(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, begin); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		conn.SetReadDeadline(from.Add(3 * time.Minute))
		io.Copy(io.Discard, conn)
	}()
	for i := 0; ; i++ {
		select {
		case <-gone:
			return time.Since(from) - stalled()
		case <-time.After(50 * time.Millisecond):
			conn.Write([]byte{dribble[i%len(dribble)]})
		}
	}
}

// TestHeadersThatTrickle: a connection that never finishes asking is given 10 s.
func TestHeadersThatTrickle(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 10 s")
	}
	t.Parallel()
	s := running(t, quiet(t))
	if took := hungUp(t, s.Addr(), "GET /api/v1/agent/nonce HTTP/1.1\r\nHost: x\r\nX: ", "a"); took > readHeaderTimeout+3*time.Second {
		t.Errorf("that took %s", took)
	}
	if took := hungUp(t, s.Addr(), "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("X-Long: "+strings.Repeat("y", 1000)+"\r\n", 40), "z"); took > 3*time.Second {
		t.Errorf("endless headers took %s", took)
	}
}

// TestBodiesThatTrickle, whether the handler reads them or not.
func TestBodiesThatTrickle(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/reads", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("a body that trickles was read to its end")
		}
	})
	mux.HandleFunc("/ignores", func(http.ResponseWriter, *http.Request) {})
	const patience = 500 * time.Millisecond
	s := httptest.NewServer(paceBodies(patience)(mux))
	defer s.Close()
	for _, path := range []string{"/reads", "/ignores"} {
		for name, begin := range map[string]string{
			"of a known length": "Content-Length: 100000\r\n\r\n",
			"chunked":           "Transfer-Encoding: chunked\r\n\r\n10000\r\n",
		} {
			took := hungUp(t, s.Listener.Addr().String(), fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%s", path, begin), "x")
			if took > patience+2*time.Second {
				t.Errorf("%s %s: that took %s", path, name, took)
			}
		}
	}
}

// TestPacedBodiesArriveWhole: what comes steadily may take longer than the patience, and what a handler does after
// the body may too.
func TestPacedBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	s := httptest.NewServer(paceBodies(patience)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		select {
		case <-time.After(2 * patience):
		case <-r.Context().Done():
			t.Error("the request ended though nobody left")
		}
		fmt.Fprint(w, n)
	})))
	defer s.Close()
	in, out := io.Pipe()
	go func() {
		defer out.Close()
		for range 10 {
			time.Sleep(patience / 5)
			out.Write(make([]byte, slowestBody/5))
		}
	}()
	resp, err := s.Client().Post(s.URL, "application/octet-stream", in)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != fmt.Sprint(10*(slowestBody/5)) {
		t.Errorf("%s bytes arrived", body)
	}
}
