package agent

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// pollPeer is the server's end of long polls, as simple as can be: it acknowledges everything at once.
type pollPeer struct {
	t    *testing.T
	in   chan wire.Message
	wake chan struct{}

	mu      sync.Mutex
	session string
	because string
	bye     string
	got     int64
	sent    int64 // number of the last of queue
	queue   []json.RawMessage
}

// polls answers long polls of the agent with a pollPeer.
func (h *hub) polls() *pollPeer {
	p := &pollPeer{t: h.t, in: make(chan wire.Message, 1024), wake: make(chan struct{}, 1)}
	h.refuseWith(func(w http.ResponseWriter, path string) bool {
		if path != wire.PathConnect {
			return false
		}
		http.Error(w, "No WebSockets here.", http.StatusForbidden)
		return true
	})
	h.mux.HandleFunc("POST "+wire.PathHeartbeat, func(w http.ResponseWriter, r *http.Request) {
		if h.signed(w, r) {
			p.poll(w, r)
		}
	})
	return p
}

func (p *pollPeer) poll(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	poll, err := wire.DecodePoll(raw)
	if err != nil {
		p.t.Errorf("the agent sent a bad poll: %v", err)
		return
	}
	p.take(poll)
	if len(poll.Frames) == 0 && poll.Bye == "" {
		p.wait(r.Context(), poll)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = p.queue[len(p.queue)-int(p.sent-poll.Ack):]
	a := &wire.Polled{Ack: p.got, Seq: poll.Ack + 1, Frames: p.queue}
	body, _ := wire.EncodePoll(a)
	w.Write(body)
}

func (p *pollPeer) take(poll *wire.Poll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if poll.Session != p.session {
		p.session, p.because, p.got, p.sent, p.queue = poll.Session, poll.Because, 0, 0, nil
	}
	for i, f := range poll.Frames {
		if poll.Seq+int64(i) != p.got+1 {
			continue
		}
		p.got++
		if m, err := wire.Decode(f); err == nil {
			p.in <- m
		}
	}
	if poll.Bye != "" {
		p.bye = poll.Bye
	}
}

func (p *pollPeer) wait(ctx context.Context, poll *wire.Poll) {
	for {
		p.mu.Lock()
		more := p.sent > poll.Ack
		p.mu.Unlock()
		if more {
			return
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (p *pollPeer) send(m wire.Message) {
	frame, err := wire.Encode(m)
	if err != nil {
		p.t.Error(err)
	}
	p.mu.Lock()
	p.queue = append(p.queue, frame)
	p.sent++
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// TestFallsBackAndComesBack: the proxy refuses the upgrade, the agent works by long polls; when a WebSocket comes
// through it moves over, and what runs goes on.
func TestFallsBackAndComesBack(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	p := h.polls()
	a, _ := startAgent(t, h, func(c *Config) { c.probeAfter = 300 * time.Millisecond })
	of := &peer{t: t, in: p.in}
	hello := next[*wire.Hello](of)
	if hello.Facts.Transport != octopus.TransportHTTP || !strings.Contains(hello.Facts.TransportReason, "No WebSockets here.") {
		t.Errorf("the hello says %q %q", hello.Facts.Transport, hello.Facts.TransportReason)
	}
	p.send(&wire.Welcome{Name: "web-01", ServerID: "srv", SessionEpoch: 1, HeartbeatMS: 60_000, FirstAfterMS: 60_000, OfflineMS: 150_000})
	p.send(&wire.HelloAnswer{End: true})
	until(t, "its status says how it is connected", func() bool {
		r, err := Status(a.folder.path)
		return err == nil && r.Connected && r.Transport == octopus.TransportHTTP && strings.Contains(r.TransportReason, "No WebSockets")
	})
	o := offer(h.publish(testModule(t, "sleeper")))
	p.send(o)
	next[*wire.Accept](of)
	p.send(&wire.Go{Execution: o.Execution, Attempt: 1, Fence: o.Fence})
	next[*wire.Prepared](of)

	h.refuseWith(nil)
	ws, hello := h.peer(nil)
	if len(hello.Items) != 1 || hello.Items[0].Execution != o.Execution || hello.Items[0].Phase != wire.PhaseStarted {
		t.Errorf("over the WebSocket it says that it holds %+v", hello.Items)
	}
	if hello.Facts.Transport != octopus.TransportWebSocket || hello.Facts.TransportReason != "" {
		t.Errorf("the hello says %q %q", hello.Facts.Transport, hello.Facts.TransportReason)
	}
	until(t, "the polls have ended with a goodbye", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.bye != ""
	})
	ws.send(&wire.Cancel{Execution: o.Execution, Fence: o.Fence})
	ws.ack(next[*wire.Result](ws), wire.VerdictCommitted)
}

// TestDrainOpensBeforeItCloses: the server that drains is left only when another connection is open.
func TestDrainOpensBeforeItCloses(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	old, _ := h.peer(nil)
	var once sync.Once
	h.refuseWith(func(w http.ResponseWriter, path string) (refused bool) {
		if path == wire.PathConnect {
			once.Do(func() { refused = true })
		}
		if refused {
			select {
			case <-old.gone:
				t.Error("the old connection went before a new one was open")
			default:
			}
			problem(w, http.StatusServiceUnavailable, "unavailable", "The server is stopping.")
		}
		return refused
	})
	o := offer(h.publish(testModule(t, "sleeper")))
	old.run(o)
	next[*wire.Prepared](old)
	old.send(&wire.Drain{ReconnectMinMS: 10, ReconnectMaxMS: 50, Reason: "the server stops"})
	_, hello := h.peer(nil)
	if len(hello.Items) != 1 || hello.Items[0].Execution != o.Execution {
		t.Errorf("it says that it holds %+v", hello.Items)
	}
	select {
	case <-old.gone:
	case <-time.After(wait):
		t.Error("the old connection stays open")
	}
}

// TestAKilledRunGivesItsSlotBack, whatever killed it.
func TestAKilledRunGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, func(c *Config) { c.Slots = 1 })
	p, _ := h.peer(nil)
	digest := h.publish(testModule(t, "loop"))
	for _, end := range []func(*wire.Offer){
		func(*wire.Offer) {}, // its timeout
		func(o *wire.Offer) { p.send(&wire.Cancel{Execution: o.Execution, Fence: o.Fence, GraceMS: 50}) },
		func(o *wire.Offer) { p.send(&wire.Cancel{Execution: o.Execution, Fence: o.Fence}) },
	} {
		o := offer(digest)
		o.TimeoutMS = 300
		p.run(o) // which the next could not, had the one before kept the slot
		next[*wire.Prepared](p)
		end(o)
		r := next[*wire.Result](p)
		if r.Free != 1 {
			t.Errorf("after %s %d slots are free", r.Outcome, r.Free)
		}
		p.ack(r, wire.VerdictCommitted)
	}
}
