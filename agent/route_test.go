package agent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/agent/link"
	"octopus/internal/octopus"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	const ws, polls = octopus.TransportWebSocket, octopus.TransportHTTP
	now := time.Now()
	eof := errors.New("EOF")
	choose := func(r *route, at time.Duration) octopus.Transport {
		via, _ := r.choose(now.Add(at))
		return via
	}

	r := &route{}
	if choose(r, 0) != ws {
		t.Fatal("it does not begin with a WebSocket")
	}
	if !r.ended(now, ws, 0, &link.NoUpgrade{Err: errors.New("403")}) || choose(r, 0) != polls || !strings.Contains(r.because, "403") {
		t.Errorf("after a refused upgrade: %+v", r)
	}
	if wait, ok := r.untilProbe(now); !ok || wait < probeFirst || wait > probeFirst*5/4+time.Second {
		t.Errorf("the next try comes in %s", wait)
	}
	if choose(r, time.Hour) != ws {
		t.Error("it does not try a WebSocket again")
	}
	// The WebSocket opened this time, and broke at once: back, for twice as long.
	if !r.ended(now.Add(time.Hour), ws, time.Second, eof) || choose(r, time.Hour+2*probeFirst-time.Minute) != polls {
		t.Errorf("after a probe that broke: %+v", r)
	}
	for range 10 {
		r.fallBack(now, "x")
	}
	if wait, _ := r.untilProbe(now); wait > probeLongest*5/4+time.Second {
		t.Errorf("the longest wait is %s", wait)
	}
	if r.ended(now, ws, 2*time.Minute, eof) || choose(r, 0) != ws {
		t.Errorf("a WebSocket that held counts as good: %+v", r)
	}

	r = &route{}
	for i := 1; i <= brokenOften; i++ {
		if got := r.ended(now, ws, 3*time.Second, eof); got != (i == brokenOften) {
			t.Errorf("break %d: %v", i, got)
		}
	}
	r = &route{}
	for range 10 { // none of these speaks against WebSockets
		for _, err := range []error{&link.Closed{Code: 4012}, errGoodbye, errQueueFull} {
			if r.ended(now, ws, time.Second, err) {
				t.Errorf("%v leads to long polls", err)
			}
		}
		if r.ended(now, ws, 0, errors.New("connection refused")) || r.ended(now, ws, 0, &link.Refused{Status: 503, Code: "unavailable"}) || r.ended(now, polls, time.Second, eof) {
			t.Error("a server that is not there leads to long polls")
		}
	}

	for mode, want := range map[octopus.Transport]octopus.Transport{ws: ws, polls: polls} {
		r = &route{mode: mode}
		for range 5 {
			if r.ended(now, ws, 0, &link.NoUpgrade{Err: eof}) || choose(r, 0) != want {
				t.Errorf("--transport %s: %+v", mode, r)
			}
		}
		if _, ok := r.untilProbe(now); ok {
			t.Errorf("--transport %s probes", mode)
		}
	}
}
