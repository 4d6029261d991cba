//go:build linux

package chaos

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"time"
)

// gate is a proxy of the kind that breaks WebSockets: it understands HTTP, passes requests on and takes the upgrade
// out of them. Agents behind it are left with long polls.
type gate struct {
	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	done      chan struct{} // closed when it serves no more
}

// newGate listens on a free loopback port.
func newGate(h *home) (*gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	g := &gate{listener: ln, transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return h.dial(ctx) },
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
	}, done: make(chan struct{})}
	silent := log.New(io.Discard, "", 0)
	g.server = &http.Server{ErrorLog: silent, ReadHeaderTimeout: 30 * time.Second, Handler: &httputil.ReverseProxy{
		Transport: g.transport, ErrorLog: silent, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "server", r.In.Host
			r.Out.Header.Del("Connection")
			r.Out.Header.Del("Upgrade")
		},
	}}
	go func() { // ends with close, which waits for it
		defer close(g.done)
		g.server.Serve(ln)
	}()
	return g, nil
}

func (g *gate) address() string { return g.listener.Addr().String() }

func (g *gate) close() {
	g.server.Close()
	<-g.done
	g.transport.CloseIdleConnections()
}

// home is the server that long polls go to: a load balancer keeps a client at one for as long as it is there.
type home struct {
	mu  sync.Mutex
	all []string // guarded by mu: the one to try first comes first
}

func newHome(addresses []string) *home {
	h := &home{all: append([]string(nil), addresses...)}
	h.move()
	return h
}

// move chooses one by chance.
func (h *home) move() {
	h.mu.Lock()
	defer h.mu.Unlock()
	rand.Shuffle(len(h.all), func(i, j int) { h.all[i], h.all[j] = h.all[j], h.all[i] })
}

// targets lists the servers in the order in which to try them.
func (h *home) targets() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// chose makes the one that answered the first from now on.
func (h *home) chose(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.all, target); i > 0 {
		h.all[0], h.all[i] = h.all[i], h.all[0]
	}
}

// dial opens a connection to the first that answers.
func (h *home) dial(ctx context.Context) (net.Conn, error) {
	c, err := dialAny(ctx, h.targets())
	if err == nil {
		h.chose(c.RemoteAddr().String())
	}
	return c, err
}

func (w *world) keep(p *Proxy, err error) *Proxy {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Close)
	return p
}

// way is how an agent reaches the servers: every second one by WebSockets only, each of which goes to any server.
// The others decide by themselves, and every second of them is behind a gate, so that none but long polls are left.
func (w *world) way(i int) (link *Proxy, transport string) {
	w.t.Helper()
	if i%2 == 0 {
		w.homes = append(w.homes, nil)
		return w.proxy(), "websocket"
	}
	h := newHome(w.addresses)
	w.homes = append(w.homes, h)
	if i%4 == 1 {
		return w.keep(newProxy(h.dial)), "auto"
	}
	g, err := newGate(h)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(g.close)
	return w.keep(NewProxy(func() []string { return []string{g.address()} })), "auto"
}
