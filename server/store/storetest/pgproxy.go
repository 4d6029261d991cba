package storetest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// PostgresFault is how a proxy fails a request.
type PostgresFault int

// The ways to fail.
const (
	CutBefore   PostgresFault = iota // the connection breaks and the server never hears the request
	CutAfter                         // the server answers, the connection breaks before the answer arrives
	ServerError                      // the server says that it could not read its disk
)

// PostgresProxy stands between a store and PostgreSQL and fails the n-th request, once. A request is what pgx sends
// before it waits for an answer.
type PostgresProxy struct {
	URL string // of the database, by way of the proxy

	network, address string // static: the server's
	fault            PostgresFault
	listener         net.Listener
	all              sync.WaitGroup

	mu    sync.Mutex
	armed bool // guarded by mu
	left  int  // guarded by mu: requests until the failure
	conns []net.Conn
}

// NewPostgresProxy starts one before a database that Postgres made. It ends with the test.
func NewPostgresProxy(t testing.TB, database string, fault PostgresFault) *PostgresProxy {
	t.Helper()
	target, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p := &PostgresProxy{fault: fault, network: "tcp", address: target.Host}
	if folder := target.Query().Get("host"); folder != "" {
		p.network, p.address = "unix", filepath.Join(folder, ".s.PGSQL.5432")
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	target.Host, target.RawQuery = p.listener.Addr().String(), "sslmode=disable"
	p.URL = target.String()
	p.all.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Arm makes the n-th request from now fail, counted from 0.
func (p *PostgresProxy) Arm(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.left = true, n
}

// Disarm reports whether so many requests came.
func (p *PostgresProxy) Disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	return p.left < 0
}

// fails counts a request.
func (p *PostgresProxy) fails() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return false
	}
	p.left--
	return p.left == -1
}

func (p *PostgresProxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.all.Wait()
}

func (p *PostgresProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(p.network, p.address)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		l := &pgLink{proxy: p, client: client, server: server, answered: make(chan struct{}, 1)}
		p.all.Go(l.requests)
		p.all.Go(l.answers)
	}
}

// pgLink is one connection through the proxy.
type pgLink struct {
	proxy          *PostgresProxy
	client, server net.Conn
	answered       chan struct{}

	mu    sync.Mutex // held while writing to the client
	mute  bool       // guarded by mu: the client hears no more
	state byte       // guarded by mu: of the transaction, as the server last said it
}

func (l *pgLink) close() {
	l.client.Close()
	l.server.Close()
}

// requests passes on what the client sends (https://www.postgresql.org/docs/current/protocol-message-formats.html).
func (l *pgLink) requests() {
	defer l.close()
	r := bufio.NewReader(l.client)
	start := make([]byte, 4)
	if _, err := io.ReadFull(r, start); err != nil {
		return
	}
	rest := make([]byte, binary.BigEndian.Uint32(start)-4)
	if _, err := io.ReadFull(r, rest); err != nil {
		return
	}
	if _, err := l.server.Write(append(start, rest...)); err != nil {
		return
	}
	var request []byte // up to what asks for an answer
	for {
		kind, message, err := pgMessage(r)
		if err != nil {
			return
		}
		request = append(request, message...)
		if kind != 'S' && kind != 'Q' && kind != 'X' && kind != 'H' {
			continue
		}
		if (kind == 'S' || kind == 'Q') && l.proxy.fails() {
			if l.fail(request) {
				return
			}
		} else if _, err := l.server.Write(request); err != nil {
			return
		}
		request = request[:0]
	}
}

// fail fails a request. It reports whether the connection is at its end.
func (l *pgLink) fail(request []byte) bool {
	switch l.proxy.fault {
	case CutBefore:
		return true
	case CutAfter:
		l.mu.Lock()
		l.mute = true
		l.mu.Unlock()
		if _, err := l.server.Write(request); err == nil {
			<-l.answered
		}
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	state := l.state
	if state == 'T' {
		state = 'E'
	}
	fields := "SERROR\x00VERROR\x00C58030\x00Mcould not read block 7: Input/output error\x00\x00"
	answer := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	answer = append(append(answer, fields...), 'Z', 0, 0, 0, 5, state)
	_, err := l.client.Write(answer)
	return err != nil
}

// answers passes on what the server says.
func (l *pgLink) answers() {
	defer l.close()
	defer close(l.answered)
	r := bufio.NewReader(l.server)
	for {
		kind, message, err := pgMessage(r)
		if err != nil {
			return
		}
		l.mu.Lock()
		if kind == 'Z' {
			l.state = message[len(message)-1]
		}
		mute := l.mute
		if !mute {
			_, err = l.client.Write(message)
		}
		l.mu.Unlock()
		if err != nil || mute && kind == 'Z' {
			return
		}
	}
}

// pgMessage reads one message: kind, length, body.
func pgMessage(r *bufio.Reader) (kind byte, message []byte, err error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	message = make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(message, head)
	_, err = io.ReadFull(r, message[5:])
	return head[0], message, err
}
