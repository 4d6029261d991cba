package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/wasmplugins"
)

// TestFrozenClockAndSeed: a plugin finds the clock and the random numbers that its offer names, each time.
func TestFrozenClockAndSeed(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	digest := h.publish(testModule(t, "moment_response"))
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	found := func(change func(*wire.Offer)) string {
		o := offer(digest)
		change(o)
		p.run(o)
		r := next[*wire.Result](p)
		p.ack(r, wire.VerdictCommitted)
		var response struct{ Result json.RawMessage }
		if err := json.Unmarshal(r.Response, &response); err != nil || r.Outcome != octopus.Succeeded {
			t.Fatalf("%+v %v", r, err)
		}
		return string(response.Result)
	}
	repeated := func(o *wire.Offer) { o.ClockNS, o.Seed = new(at.UnixNano()), new(uint64(7)) }
	first := found(repeated)
	if begin := fmt.Sprintf("[%d,", at.Unix()%1_000_000_000+1_000_000_000); !strings.HasPrefix(first, begin) {
		t.Errorf("the clock says %s, not %s", first, begin)
	}
	if again := found(repeated); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if real := found(func(*wire.Offer) {}); real == first {
		t.Errorf("without a clock and a seed: %s", real)
	}
}

// TestDeadlineByTheFrozenClock: a plugin compares its deadline with the clock that it sees.
func TestDeadlineByTheFrozenClock(t *testing.T) {
	t.Parallel()
	o := offer("")
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	o.ClockNS = new(at.UnixNano())
	raw, err := (&job{offer: o, attempt: 1}).request(time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(raw), `"deadline":"2031-05-06T07:09:09Z"`)
}

// TestSandboxIsRefused: an agent takes no work that asks for more than it reaches, whatever the server believes.
func TestSandboxIsRefused(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, hello := h.peer(nil)
	digest := h.publish(printer(`{"status_code":200}`))
	o := offer(digest)
	o.Sandbox = "more"
	p.send(o)
	if r := next[*wire.Reject](p); r.Reason != wire.RejectSandbox || !strings.Contains(r.Message, "The task asks for the sandbox level more;") {
		t.Errorf("%+v", r)
	}
	if out := a.sandbox(&job{offer: o}); out.Response.StatusCode != 503 || !out.Started.IsZero() {
		t.Errorf("taken by an earlier process it ends with %+v", out)
	}
	fits := offer(digest)
	fits.Sandbox = octopus.SandboxLevel(hello.Facts.Sandbox.Level)
	p.run(fits)
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded {
		t.Errorf("%+v", r)
	}
	p.ack(r, wire.VerdictCommitted)
}

// TestLevelsAreOne: the server compares levels as the sandbox does.
func TestLevelsAreOne(t *testing.T) {
	t.Parallel()
	names := append([]octopus.SandboxLevel{"", "odd"}, octopus.SandboxLevels...)
	for _, has := range names {
		for _, asked := range names {
			if a, b := has.Reaches(asked), (wasmplugins.Level{Name: string(has)}).AtLeast(string(asked)); a != b {
				t.Errorf("%q reaches %q: %v for the server, %v for the sandbox", has, asked, a, b)
			}
		}
	}
}
