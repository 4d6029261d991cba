package hub_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"octopus/internal/stall"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// Opcodes and flags of RFC 6455.
const (
	opContinue, opText, opBinary, opClose, opPing, opPong = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

	final, rsv1, rsv2, rsv3 = 0x80, 0x40, 0x20, 0x10
)

// raw is an agent whose WebSocket frames are made by hand.
type raw struct {
	*machine
	conn net.Conn
	in   *bufio.Reader
}

// raw connects and says hello.
func (m *machine) raw() *raw {
	m.t.Helper()
	conn, err := net.Dial("tcp", m.server.http.Listener.Addr().String())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { conn.Close() })
	r, err := http.NewRequest(http.MethodGet, m.server.http.URL+wire.PathConnect, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header = m.sign(http.MethodGet, wire.PathConnect)
	for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(k, v)
	}
	if err := r.Write(conn); err != nil {
		m.t.Fatal(err)
	}
	l := &raw{m, conn, bufio.NewReader(conn)}
	answer, err := http.ReadResponse(l.in, r)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		m.t.Fatalf("%v %v", answer, err)
	}
	l.message(&wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.Version, Facts: m.facts(), Free: 4, End: true})
	l.until(func(op byte, payload []byte) bool {
		return op == opText && bytes.HasPrefix(payload, []byte(`{"t":"hello_answer"`))
	})
	return l
}

// frame is one masked frame. Its length may be a lie.
func frame(head byte, payload []byte, length uint64) []byte {
	out := []byte{head}
	switch {
	case length < 126:
		out = append(out, 0x80|byte(length))
	case length < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(length))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), length)
	}
	out = append(out, 1, 2, 3, 4)
	for i, b := range payload {
		out = append(out, b^byte(i%4+1))
	}
	return out
}

func whole(head byte, payload string) []byte {
	return frame(head, []byte(payload), uint64(len(payload)))
}

func (l *raw) message(m wire.Message) {
	l.t.Helper()
	body, err := wire.Encode(m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(whole(final|opText, string(body)))
}

func (l *raw) write(b []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(b); err != nil && !errors.Is(err, net.ErrClosed) && !brokenPipe(err) {
		l.t.Fatal(err)
	}
}

func brokenPipe(err error) bool {
	return strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "connection reset")
}

// read returns the next frame of the server, which never masks.
func (l *raw) read() (op byte, payload []byte, err error) {
	l.conn.SetReadDeadline(time.Now().Add(time.Minute))
	head := make([]byte, 2)
	if _, err = io.ReadFull(l.in, head); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		long := make([]byte, 2)
		_, err = io.ReadFull(l.in, long)
		n = uint64(binary.BigEndian.Uint16(long))
	case 127:
		long := make([]byte, 8)
		_, err = io.ReadFull(l.in, long)
		n = binary.BigEndian.Uint64(long)
	}
	if err == nil {
		payload = make([]byte, n)
		_, err = io.ReadFull(l.in, payload)
	}
	return head[0] & 0xf, payload, err
}

func (l *raw) until(ok func(op byte, payload []byte) bool) {
	l.t.Helper()
	for {
		op, payload, err := l.read()
		if err != nil {
			l.t.Fatal(err)
		}
		if ok(op, payload) {
			return
		}
	}
}

// ended reads to the end and returns the code of the server's close frame, 0 when it just hung up.
func (l *raw) ended() (code int, reason string) {
	l.t.Helper()
	for {
		op, payload, err := l.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.t.Fatal("the server does not end the connection")
		}
		if err != nil {
			return code, reason
		}
		if op == opClose && len(payload) >= 2 {
			code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			l.write(whole(final|opClose, string(payload[:2])))
		}
	}
}

func closing(code uint16, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(nil, code)
	return whole(final|opClose, string(payload)+reason)
}

// TestBrokenFrames are the cases of the Autobahn suite that concern an endpoint for text without extensions: each
// ends that connection, none leaves anything behind, and others do not notice.
func TestBrokenFrames(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: time.Minute}})
	other, _ := s.enrol("bystander").connect()
	unmasked := append([]byte{final | opText, 16}, `{"t":"heartbeat"}`[:16]...)
	begun := whole(opText, `{"t":"heart`)
	long := strings.Repeat("x", 126)
	half := strings.Repeat("x", wire.MaxFrame/2)
	for name, c := range map[string]struct {
		sent  []byte
		codes []int // one of them; 0 is a connection that just ends
	}{
		"unmasked":                  {unmasked, []int{1002, 0}},
		"reserved bit 1":            {whole(final|rsv1|opText, "{}"), []int{1002}},
		"reserved bit 2":            {whole(final|rsv2|opText, "{}"), []int{1002}},
		"reserved bit 3":            {whole(final|rsv3|opText, "{}"), []int{1002}},
		"reserved bits of a ping":   {whole(final|rsv1|opPing, ""), []int{1002}},
		"reserved opcode 3":         {whole(final|0x3, "{}"), []int{1002}},
		"reserved opcode 7":         {whole(final|0x7, ""), []int{1002}},
		"reserved opcode B":         {whole(final|0xB, ""), []int{1002}},
		"reserved opcode F":         {whole(final|0xF, ""), []int{1002}},
		"long ping":                 {whole(final|opPing, long), []int{1002}},
		"long pong":                 {whole(final|opPong, long), []int{1002}},
		"long close":                {closing(1000, long), []int{1002}},
		"fragmented ping":           {whole(opPing, "x"), []int{1002}},
		"fragmented close":          {whole(opClose, ""), []int{1002}},
		"continuation of nothing":   {whole(final|opContinue, "{}"), []int{1002}},
		"text within a message":     {append(begun, whole(final|opText, "{}")...), []int{1002}},
		"binary":                    {whole(final|opBinary, `{"t":"heartbeat"}`), []int{1008}},
		"empty text":                {whole(final|opText, ""), []int{1008}},
		"invalid UTF-8":             {whole(final|opText, "{\"t\":\"heartbeat\",\"digest\":\"\xce\xba\xed\xa0\x80\"}"), []int{1008}},
		"invalid UTF-8, fragmented": {append(whole(opText, "{\"t\":\"heartbeat\",\"digest\":\"\xff"), whole(final|opContinue, "\"}")...), []int{1008}},
		"NUL":                       {whole(final|opText, "\x00"), []int{1008}},
		"too long by fragments":     {append(append(whole(opText, half), whole(opContinue, half)...), whole(final|opContinue, "x")...), []int{1009}},
		"too long at once":          {whole(final|opText, half+half+"x"), []int{1009}},
		"length with its top bit":   {frame(final|opText, nil, 1<<63), []int{1002, 1009, 0}},
		"close without code":        {whole(final|opClose, ""), []int{1005, 1000, 0}},
		"close":                     {closing(1000, "bye"), []int{1000}},
		"close with 4999":           {closing(4999, ""), []int{4999}},
		"close with one byte":       {whole(final|opClose, "x"), []int{1002}},
		"close with 0":              {closing(0, ""), []int{1002}},
		"close with 999":            {closing(999, ""), []int{1002}},
		"close with 1004":           {closing(1004, ""), []int{1002}},
		"close with 1005":           {closing(1005, ""), []int{1002}},
		"close with 1006":           {closing(1006, ""), []int{1002}},
		"close with 1015":           {closing(1015, ""), []int{1002}},
		"close with 2999":           {closing(2999, ""), []int{1002}},
		"close with 65535":          {closing(65535, ""), []int{1002}},
		"close with invalid UTF-8":  {closing(1000, "\xce\xba\x00\xff"), []int{1000, 1002, 1007}},
		"close, then more":          {append(closing(1000, ""), whole(final|opText, `{"t":"heartbeat","seq":1}`)...), []int{1000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := s.enrol(strings.NewReplacer(" ", "-", ",", "").Replace(name))
			m.t = t
			l := m.raw()
			l.write(c.sent)
			code, reason := l.ended()
			for _, want := range c.codes {
				if code == want {
					s.offline(m, time.Now())
					return
				}
			}
			t.Errorf("closed with %d %q, not one of %v", code, reason, c.codes)
		})
	}
	t.Cleanup(func() {
		other.send(&wire.Heartbeat{Seq: 1, Free: 4})
		if a := expect[*wire.HeartbeatAck](other); a.Seq != 1 {
			t.Errorf("the bystander: %+v", a)
		}
	})
}

// TestOddButValidFrames: what the RFC allows is understood.
func TestOddButValidFrames(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l := s.enrol("web-01").raw()
	text := `{"t":"heartbeat","seq":7,"free":4,"digest":"κόσμε 🐙"}`
	for i := range len(text) { // each byte a fragment, even within a character, with pings in between
		head := byte(opContinue)
		if i == 0 {
			head = opText
		}
		if i == len(text)-1 {
			head |= final
		}
		if i%20 == 0 { // before the fragment: the answer to the last one comes after all pongs
			l.write(whole(final|opPing, strings.Repeat("p", 125)))
		}
		l.write(whole(head, text[i:i+1]))
	}
	pongs := 0
	l.until(func(op byte, payload []byte) bool {
		if op == opPong && len(payload) == 125 {
			pongs++
		}
		return op == opText && strings.Contains(string(payload), `"seq":7`)
	})
	if pongs != (len(text)+19)/20 {
		t.Errorf("%d pongs", pongs)
	}
	l.write(whole(final|opPong, "nobody asked"))
	l.write(append(whole(opText, ""), append(whole(opContinue, ""), whole(final|opContinue, `{"t":"heartbeat","seq":8}`)...)...))
	l.until(func(op byte, payload []byte) bool {
		return op == opText && strings.Contains(string(payload), `"seq":8`)
	})
}

// TestAFloodOfPings that nobody reads the answers of: the connection stands still and ends; what it costs is bounded,
// and others do not wait.
func TestAFloodOfPings(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures memory, and takes as long as a write may")
	}
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: 2 * brisk}})
	other, _ := s.enrol("bystander").connect()
	l := s.enrol("flooder").raw()
	before, stalled := inUse(), stall.Watch(t)
	pings := bytes.Repeat(whole(final|opPing, strings.Repeat("p", 125)), 500)
	var most, slowest int64
	ended := false
	for from := time.Now(); !ended && time.Since(from) < patience; {
		l.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := l.conn.Write(pings); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			ended = true
		}
		asked, held := time.Now(), stalled()
		other.send(&wire.Heartbeat{Seq: 1, Free: 4})
		expect[*wire.HeartbeatAck](other)
		slowest = max(slowest, int64(time.Since(asked)-(stalled()-held)))
		most = max(most, inUse()-before)
	}
	if !ended {
		t.Error("the flood goes on")
	}
	t.Logf("at most %d KiB; a bystander's heartbeat took at most %s", most>>10, time.Duration(slowest))
	if most > 1<<20 {
		t.Errorf("it cost %d KiB", most>>10)
	}
	if time.Duration(slowest) > time.Second {
		t.Errorf("a bystander's heartbeat took %s", time.Duration(slowest))
	}
}

// TestAFrameThatTrickles is no sign of life: the agent is offline after two and a half heartbeats, and its connection
// gone.
func TestAFrameThatTrickles(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: 400 * time.Millisecond}})
	for name, sent := range map[string][]byte{
		"a frame":               whole(final|opText, strings.Repeat("x", 1000)),
		"fragments":             bytes.Repeat(whole(opContinue, "x"), 1000),
		"an enormous frame":     frame(final|opText, bytes.Repeat([]byte("x"), 1000), 1<<62),
		"a header, cut in half": {final | opText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := s.enrol(strings.NewReplacer(" ", "-", ",", "").Replace(name))
			m.t = t
			l := m.raw()
			from := time.Now()
			if name == "fragments" {
				l.write(whole(opText, "x"))
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				l.ended()
			}()
			for i := 0; ; i++ {
				select {
				case <-gone:
					if took := time.Since(from); took > patience {
						t.Errorf("that took %s", took)
					}
					s.offline(m, from)
					return
				case <-time.After(50 * time.Millisecond):
				}
				if i < len(sent) {
					l.write(sent[i : i+1])
				}
			}
		})
	}
}

// TestAFrozenAgent reads nothing: what waits for it is bounded, and it is cut off.
func TestAFrozenAgent(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures memory")
	}
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: time.Minute}, sendBuffer: 4 << 10})
	m := s.enrol("web-01")
	l := m.raw()
	if tcp, ok := l.conn.(*net.TCPConn); ok {
		tcp.SetReadBuffer(4 << 10)
	}
	before := inUse()
	beats := bytes.Repeat(whole(final|opText, `{"t":"heartbeat","seq":1,"free":4}`), 1000)
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for { // each is answered
			if _, err := l.conn.Write(beats); err != nil {
				return
			}
		}
	}()
	var most int64
	look, patience := time.NewTicker(time.Second), time.After(patience) // to look costs three collections of garbage
	defer look.Stop()
	for frozen := true; frozen; {
		select {
		case <-look.C:
			most = max(most, inUse()-before)
			_, frozen = s.dispatch.Presence(m.id) // its own end may learn of it minutes later: its window is full too
		case <-cut:
			frozen = false
		case <-patience:
			t.Error("it is not cut off")
			frozen = false
		}
	}
	l.conn.Close()
	<-cut
	t.Logf("at most %d KiB", most>>10)
	if most > 4<<20 {
		t.Errorf("it cost %d KiB", most>>10)
	}
	s.offline(m, time.Now())
}
