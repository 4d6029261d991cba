package web

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
)

// viewersAre waits until so many pages are open.
func (s *site) viewersAre(n int) {
	s.t.Helper()
	for end := time.Now().Add(deadline); s.web.Viewers() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%d pages are open, want %d", s.web.Viewers(), n)
		}
	}
}

// TestStreamOverHTTP2: there is no connection to be had, and the stream is the same.
func TestStreamOverHTTP2(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.as(octopus.RoleViewer)
	front := httptest.NewUnstartedServer(s.web.Routes())
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	t.Cleanup(s.web.Stop) // first
	b := &browser{t: t, base: front.URL, Client: front.Client()}
	b.Jar, _ = cookiejar.New(nil) // it never fails without options
	b.post("/login", "username", "the-viewer", "password", "correct horse battery").has(t, http.StatusOK)
	if p := b.get("/"); p.ProtoMajor != 2 {
		t.Fatalf("it speaks %s", p.Proto)
	}
	stream := b.follow("/events?topics=feed", "")
	stream.wait("event: beat")
	s.viewersAre(1)
	stream.close()
	s.viewersAre(0)
}

// raw opens a stream without a client's help, and returns the connection after the first beat with the head.
func (b *browser) raw(proto string) (conn net.Conn, head string) {
	b.t.Helper()
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err = net.Dial("tcp", u.Host)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		b.t.Fatal(err)
	}
	var cookies []string
	for _, c := range b.Jar.Cookies(u) {
		cookies = append(cookies, c.String())
	}
	fmt.Fprintf(conn, "GET /events?topics=feed %s\r\nHost: %s\r\nCookie: %s\r\n\r\n", proto, u.Host, strings.Join(cookies, "; "))
	var seen strings.Builder
	in := bufio.NewReader(conn)
	for !strings.HasSuffix(seen.String(), "event: beat\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			b.t.Fatalf("%v after:\n%s", err, seen.String())
		}
		seen.WriteString(line)
	}
	head, _, _ = strings.Cut(seen.String(), "\r\n\r\n")
	return conn, head
}

// ended fails the test unless the server ends a connection.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	var rest [512]byte
	for {
		if _, err := conn.Read(rest[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the stream goes on")
			}
			return
		}
	}
}

// TestStreamHasItsConnection: with HTTP/1.1 nothing else comes over it, and it ends when either side wants.
func TestStreamHasItsConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	leaves, head := b.raw("HTTP/1.1")
	for _, want := range []string{"HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", "Cache-Control: no-store", "Content-Security-Policy: default-src 'none'"} {
		if !strings.Contains(head, want) {
			t.Errorf("the head lacks %q:\n%s", want, head)
		}
	}
	if strings.Contains(head, "chunked") {
		t.Errorf("net/http still has the connection:\n%s", head)
	}
	s.viewersAre(1)
	leaves.Close()
	s.viewersAre(0)

	talks, _ := b.raw("HTTP/1.1")
	if _, err := talks.Write(make([]byte, 2*maxChatter)); err != nil {
		t.Fatal(err)
	}
	ended(t, talks)
	s.viewersAre(0)

	old, head := b.raw("HTTP/1.0")
	if !strings.HasPrefix(head, "HTTP/1.0 200") {
		t.Errorf("an old client was answered with\n%s", head)
	}
	stays, _ := b.raw("HTTP/1.1")
	s.viewersAre(2)
	s.web.Stop()
	ended(t, old)
	ended(t, stays)
	s.viewersAre(0)
}
