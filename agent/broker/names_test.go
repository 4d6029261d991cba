package broker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers A records from a table over UDP, and MX, TXT and SRV for one name.
type nameServer struct {
	conn net.PacketConn
	mu   sync.Mutex
	a    map[string][]string
	next map[string][][]string // answers after the present one, the last for ever
}

func newNameServer(t *testing.T, a map[string][]string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, a: a}
	if s.a == nil {
		s.a = map[string][]string{}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return s
}

func (s *nameServer) set(name string, addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.a[name] = addrs
}

// turn has a name answer otherwise each time that it is asked for its IPv4 addresses, and for ever as the last time.
func (s *nameServer) turn(name string, answers ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.a[name] = answers[0]
	if s.next == nil {
		s.next = map[string][][]string{}
	}
	s.next[name] = answers[1:]
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *nameServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var m dnsmessage.Message
		if err != nil || m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		s.answer(&m)
		if raw, err := m.Pack(); err == nil {
			s.conn.WriteTo(raw, from)
		}
	}
}

func (s *nameServer) answer(m *dnsmessage.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := m.Questions[0]
	m.Response, m.RecursionAvailable = true, true
	m.Additionals = nil
	name := q.Name.String()
	addrs, known := s.a[name]
	if !known {
		lower := []byte(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c + 'a' - 'A'
			}
		}
		addrs, known = s.a[string(lower)]
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: body})
	}
	switch q.Type {
	case dnsmessage.TypeA:
		for _, text := range addrs {
			add(&dnsmessage.AResource{A: netip.MustParseAddr(text).As4()})
		}
		if next := s.next[name]; len(next) > 0 {
			s.a[name], s.next[name] = next[0], next[1:]
		}
	case dnsmessage.TypeMX:
		add(&dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName("mail.example.")})
	case dnsmessage.TypeTXT:
		add(&dnsmessage.TXTResource{TXT: []string{"v=spf1 -all"}})
	case dnsmessage.TypeSRV:
		add(&dnsmessage.SRVResource{Priority: 1, Weight: 2, Port: 389, Target: dnsmessage.MustNewName("ldap.example.")})
	}
}
