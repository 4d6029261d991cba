package hub_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/hub"
)

// maxPerPoller is what an agent that polls may cost the server while its poll waits, in bytes of heap and stack: a
// request with its goroutines and net/http's buffers, where a socket has only its reader.
const maxPerPoller = 64 << 10

func TestWaitingPollersAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens hundreds of sockets")
	}
	s := startPatient(t, settings{hub: hub.Config{AdmitPerSecond: 1e6}, dispatch: dispatch.Config{Sweep: time.Hour}})
	const n = 200
	machines := make([]*machine, n+1)
	for i := range machines {
		machines[i] = s.enrolDirect(fmt.Sprintf("web-%d", i))
	}
	waiting := []*barePoll{s.plainPoll(machines[n])}
	before := inUse()
	for _, m := range machines[:n] {
		waiting = append(waiting, s.plainPoll(m))
	}
	s.eventually("all of them wait", func() bool {
		for _, p := range waiting {
			p.again()
		}
		return s.hub.Polling() == n+1
	})
	s.settled()
	each := (inUse() - before) / n
	t.Logf("%d bytes each", each)
	if each > maxPerPoller {
		t.Errorf("an agent that polls costs %d bytes, more than %d", each, maxPerPoller)
	}
}

// barePoll polls over a bare socket, so that next to nothing of what is measured is the client's.
type barePoll struct {
	*polling
	conn    net.Conn
	answers *bufio.Reader
	last    *wire.Poll
}

// plainPoll opens a session. The socket is closed with the test.
func (s *server) plainPoll(m *machine) *barePoll {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	p := &barePoll{polling: m.polling(), conn: conn, answers: bufio.NewReaderSize(conn, 16)}
	p.write(p.next(0, &wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.Version, Facts: m.facts(), Free: 4, End: true}))
	return p
}

func (p *barePoll) write(poll *wire.Poll) {
	p.t.Helper()
	p.last = poll
	body, err := wire.EncodePoll(poll)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, p.server.http.URL+wire.PathHeartbeat, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = p.sign(http.MethodPost, wire.PathHeartbeat)
	if err := r.Write(p.conn); err != nil {
		p.t.Fatal(err)
	}
}

// again polls anew where an answer has come.
func (p *barePoll) again() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := p.answers.Peek(1); err != nil {
		return
	}
	p.conn.SetReadDeadline(time.Time{})
	answer, err := http.ReadResponse(p.answers, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	raw, _ := io.ReadAll(answer.Body)
	if answer.StatusCode == http.StatusServiceUnavailable { // too many came at once for a busy machine
		p.write(p.last)
		return
	}
	if answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s", answer.Status, raw)
	}
	polled, err := wire.DecodePolled(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	p.take(answered{Polled: polled})
	p.inbox = nil
	p.write(p.next(20 * time.Second))
}

// TestPollsReachNoDatabase: like heartbeats on a socket.
func TestPollsReachNoDatabase(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{dispatch: dispatch.Config{Sweep: time.Hour}})
	p := s.enrol("web-01").polling()
	p.open()
	s.settled()
	before := s.store.Statements()
	for i := range int64(100) {
		p.send(p.next(0, &wire.Heartbeat{Seq: i, Free: 4}))
		if a := awaited[*wire.HeartbeatAck](p); a.Seq != i {
			t.Fatalf("%+v", a)
		}
	}
	if n := s.store.Statements() - before; n != 0 {
		t.Errorf("100 heartbeats by polls made %d statements", n)
	}
}
