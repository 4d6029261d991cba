package hub_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/hub"
)

// maxPerConnection is what an idle agent may cost the server, in bytes of heap and stack (DESIGN §12).
const maxPerConnection = 16 << 10

// TestIdleConnectionsAreLean opens plain sockets by hand, so that next to nothing of what is measured is the
// client's, and divides what the process grew by.
func TestIdleConnectionsAreLean(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens hundreds of sockets")
	}
	s := start(t, settings{hub: hub.Config{AdmitPerSecond: 1e6}, dispatch: dispatch.Config{Sweep: time.Hour}}) // the sweeper asks the database too
	const n = 400
	machines := make([]*machine, n+1)
	for i := range machines {
		machines[i] = s.enrolDirect(fmt.Sprintf("web-%d", i))
	}
	s.plain(machines[n]) // what the first connection brings about is not counted
	before := inUse()
	for i, m := range machines[:n] {
		s.plain(m)
		if i%16 == 15 || i == n-1 { // no more hellos under way than are let in at a time
			s.eventually("all are there", func() bool { return s.dispatch.Online() == i+2 })
		}
	}
	s.settled()
	each := (inUse() - before) / n
	t.Logf("%d bytes each", each)
	if each > maxPerConnection {
		t.Errorf("an idle connection costs %d bytes, more than %d", each, maxPerConnection)
	}
}

// inUse is what this process holds: what the last collection of garbage found alive, without what was dropped since.
func inUse() int64 {
	for range 3 {
		runtime.GC()
	}
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(held)
	return int64(held[0].Value.Uint64() + held[1].Value.Uint64())
}

// plain connects a machine over a bare socket and says hello. The socket is closed with the test.
func (s *server) plain(m *machine) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	r, err := http.NewRequest(http.MethodGet, s.http.URL+wire.PathConnect, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = m.sign(http.MethodGet, wire.PathConnect)
	for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(k, v)
	}
	if err := r.Write(conn); err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), r)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("%v %v", answer, err)
	}
	frame, err := wire.Encode(&wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.Version, Facts: m.facts(), Free: 4, End: true})
	if err != nil {
		s.t.Fatal(err)
	}
	var masked bytes.Buffer // text, final, 16-bit length, a mask of zeros
	masked.Write([]byte{0x81, 0x80 | 126, byte(len(frame) >> 8), byte(len(frame)), 0, 0, 0, 0})
	masked.Write(frame)
	if _, err := io.Copy(conn, &masked); err != nil {
		s.t.Fatal(err)
	}
}
