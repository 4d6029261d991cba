package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Times of the choice between WebSocket and long polls.
const (
	brokenWithin = time.Minute      // a WebSocket that breaks sooner speaks against WebSockets
	brokenOften  = 3                // so many in a row are enough
	probeFirst   = 10 * time.Minute // after so long on long polls the WebSocket is tried again
	probeLongest = time.Hour
)

// conn is an open way to the server: a WebSocket or long polls. One goroutine reads, one writes.
type conn interface {
	Read(ctx context.Context) (wire.Message, error)
	Write(ctx context.Context, frame []byte) error
	// Close sends what was written, says good-bye and waits a moment for the answer.
	Close(reason string)
	CloseNow()
}

// opened is a conn and how it was come by.
type opened struct {
	conn
	via     octopus.Transport
	because string // why not a WebSocket
}

// route decides how to connect. It is owned by the connect goroutine.
type route struct {
	mode    octopus.Transport // "" decides by itself
	first   time.Duration     // probeFirst
	because string            // why long polls are used, "" while WebSockets are trusted
	broken  int               // WebSockets in a row that broke soon after they opened
	probe   time.Duration     // how long the next stay on long polls lasts
	until   time.Time         // when the WebSocket is tried again
}

// choose says how to connect now.
func (r *route) choose(now time.Time) (via octopus.Transport, because string) {
	switch {
	case r.mode == octopus.TransportHTTP:
		return octopus.TransportHTTP, "the agent was started with --transport http"
	case r.mode == octopus.TransportWebSocket, r.because == "", now.After(r.until):
		return octopus.TransportWebSocket, ""
	}
	return octopus.TransportHTTP, r.because
}

// ended learns from a connection that held for held (0: it never opened) and ended for err. True means that it is
// long polls from now on, at once.
func (r *route) ended(now time.Time, via octopus.Transport, held time.Duration, err error) (fallBack bool) {
	if r.mode != "" || via != octopus.TransportWebSocket {
		return false
	}
	var none *link.NoUpgrade
	if errors.As(err, &none) {
		return r.fallBack(now, none.Error())
	}
	var closed *link.Closed
	switch {
	case held >= brokenWithin: // it comes through
		r.because, r.broken, r.probe = "", 0, 0
		return false
	case held == 0 || errors.As(err, &closed) || errors.Is(err, errGoodbye) || errors.Is(err, errQueueFull):
		return false // the server was not there, or had its reasons
	}
	r.broken++
	if r.because == "" && r.broken < brokenOften {
		return false
	}
	return r.fallBack(now, fmt.Sprintf("a WebSocket breaks soon after it opened (%d in a row): %s", r.broken, err))
}

func (r *route) fallBack(now time.Time, because string) bool {
	if r.first == 0 {
		r.first = probeFirst
	}
	r.because = because
	r.probe = min(max(2*r.probe, r.first), max(probeLongest, r.first))
	r.until = now.Add(r.probe + rand.N(r.probe/4+1))
	return true
}

// untilProbe is how long an agent on long polls waits before it tries a WebSocket; false: it never does.
func (r *route) untilProbe(now time.Time) (time.Duration, bool) {
	return max(r.until.Sub(now), 0), r.mode == "" && r.because != ""
}

// dial opens a connection as the route says. Where the WebSocket does not come through it falls back at once.
func (a *Agent) dial(ctx context.Context, r *route) (*opened, error) {
	via, because := r.choose(time.Now())
	if via == octopus.TransportWebSocket {
		ws, err := a.client.Dial(ctx, a.linkID())
		if err == nil {
			return &opened{conn: ws, via: via}, nil
		}
		if !r.ended(time.Now(), via, 0, err) {
			return nil, err
		}
		via, because = octopus.TransportHTTP, r.because
	}
	return &opened{a.client.Poll(ctx, a.linkID(), because), via, because}, nil
}
