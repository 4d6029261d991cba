//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Mode is what a link does to one direction.
type Mode int

// The modes. Lose swallows bytes as a firewall that forgot the connection does: what it swallowed never comes, so the
// connection is cut when the link heals. Hold keeps them until it heals.
const (
	Pass Mode = iota
	Lose
	Hold
	Delay // each piece by half a second
	Slow  // 1 KB/s
)

const (
	pieceBytes = 16 << 10
	delayBy    = 500 * time.Millisecond
	slowBytes  = 128 // each slowEvery: 1 KB/s
	slowEvery  = 125 * time.Millisecond
)

// Proxy passes TCP connections on and hurts them.
type Proxy struct {
	listener net.Listener                                // static
	dial     func(ctx context.Context) (net.Conn, error) // static: opens the continuation of a connection
	wg       sync.WaitGroup                              // all goroutines of it

	mu      sync.Mutex
	up      Mode               // guarded by mu: from the client
	down    Mode               // guarded by mu: to the client
	changed chan struct{}      // guarded by mu: closed and replaced when a mode changes
	pairs   map[*pair]struct{} // guarded by mu
	closed  bool               // guarded by mu
}

// pair is one connection and its continuation.
type pair struct {
	client, server net.Conn
	lost           bool // guarded by Proxy.mu: bytes of it were swallowed
}

// NewProxy listens on a free loopback port. Every new connection asks for the addresses to try, in their order.
func NewProxy(targets func() []string) (*Proxy, error) {
	return newProxy(func(ctx context.Context) (net.Conn, error) { return dialAny(ctx, targets()) })
}

func newProxy(dial func(context.Context) (net.Conn, error)) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: ln, dial: dial, changed: make(chan struct{}), pairs: make(map[*pair]struct{})}
	p.wg.Go(p.accept)
	return p, nil
}

// URL is where the proxy answers.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Set changes what the link does. Connections whose bytes were swallowed are cut once nothing is swallowed any more.
func (p *Proxy) Set(up, down Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
	close(p.changed)
	p.changed = make(chan struct{})
	if up == Lose || down == Lose {
		return
	}
	for c := range p.pairs {
		if c.lost {
			c.reset()
		}
	}
}

// Reset cuts every connection with a reset.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.reset()
	}
}

// Close ends the proxy and returns when everything of it has ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	close(p.changed)
	p.changed = make(chan struct{})
	for c := range p.pairs {
		c.reset()
	}
	p.mu.Unlock()
	p.listener.Close()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors: the next moment is better
			continue
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := p.dial(context.Background()) // it has its own limits
	c := &pair{client: client, server: server}
	if err != nil {
		c.reset()
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		c.reset()
		return
	}
	p.pairs[c] = struct{}{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(c, client, c.server, true) })
	wg.Go(func() { p.pump(c, c.server, client, false) })
	wg.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	client.Close()
	c.server.Close()
}

// dialAny opens a connection to the first address that answers.
func dialAny(ctx context.Context, targets []string) (net.Conn, error) {
	err := errors.New("there is no target")
	for _, target := range targets {
		var c net.Conn
		if c, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", target); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// pump copies one direction until either side ends.
func (p *Proxy) pump(c *pair, from, to net.Conn, up bool) {
	defer func() {
		if half, ok := to.(*net.TCPConn); ok {
			half.CloseWrite()
		}
	}()
	buffer := make([]byte, pieceBytes)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !p.pass(c, to, buffer[:n], up) {
			return
		}
		if err != nil {
			return
		}
	}
}

// pass hands a piece on as the mode of its direction says. false: the connection is over.
func (p *Proxy) pass(c *pair, to net.Conn, piece []byte, up bool) bool {
	for {
		p.mu.Lock()
		mode, changed, closed := p.down, p.changed, p.closed
		if up {
			mode = p.up
		}
		if mode == Lose {
			c.lost = true
		}
		p.mu.Unlock()
		switch {
		case closed:
			return false
		case mode == Lose:
			return true
		case mode == Hold:
			<-changed
			continue
		case mode == Delay:
			time.Sleep(delayBy)
		case mode == Slow && len(piece) > slowBytes:
			if _, err := to.Write(piece[:slowBytes]); err != nil {
				return false
			}
			piece = piece[slowBytes:]
			select {
			case <-changed:
			case <-time.After(slowEvery):
			}
			continue
		}
		_, err := to.Write(piece)
		return err == nil
	}
}

func (c *pair) reset() {
	for _, conn := range []net.Conn{c.client, c.server} {
		if conn == nil {
			continue
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}
