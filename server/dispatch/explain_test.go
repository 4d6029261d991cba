package dispatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// told is what events tell, a line each: "kind/outcome xN message".
func told(events ...octopus.Event) string {
	var out []string
	for _, s := range stepsOf(events) {
		line := s.Kind
		if s.Outcome != "" {
			line += "/" + s.Outcome
		}
		if s.Count > 1 {
			line += fmt.Sprintf(" x%d", s.Count)
		}
		out = append(out, line+" "+s.Message)
	}
	return strings.Join(out, "\n")
}

func happened(second int, kind, agent, message string) octopus.Event {
	e := octopus.Event{Kind: kind, Message: message, At: noon.Add(time.Duration(second) * time.Second)}
	if agent != "" {
		e.AgentID, e.AgentName = "agt_"+agent, agent
	}
	return e
}

func TestSteps(t *testing.T) {
	t.Parallel()
	queued := happened(0, "queued", "", "Queued.")
	offer := func(second int, agent string) octopus.Event {
		return happened(second, "offered", agent, "Offered to "+agent+".")
	}
	unanswered := func(second int, agent string) octopus.Event {
		return happened(second, "withdrawn", agent, agent+" did not accept it within 10 s.")
	}
	accepted := func(second int, agent string) octopus.Event {
		e := happened(second, "accepted", agent, agent+" took it: attempt 1.")
		e.Attempt = 1
		return e
	}
	for name, c := range map[string]struct {
		events []octopus.Event
		want   string
	}{
		"nothing": {},
		"waits":   {[]octopus.Event{queued}, "queued Queued."},
		"offered": {[]octopus.Event{queued, offer(1, "web-01")}, "queued Queued.\noffered Offered to web-01, which has not answered yet."},
		"placed elsewhere": {[]octopus.Event{queued, offer(1, "web-01"), unanswered(11, "web-01"), offer(12, "web-02"), accepted(13, "web-02")},
			`queued Queued.
offered/withdrawn Offered to web-01, which did not accept it within 10 s. Placed on web-02.
offered/accepted Offered to web-02, which took it: attempt 1.`},
		"again and again": {[]octopus.Event{offer(1, "web-01"), unanswered(11, "web-01"), offer(21, "web-01"), unanswered(31, "web-01"), offer(41, "web-02")},
			`offered/withdrawn x2 Offered to web-01, which did not accept it within 10 s. Placed on web-02.
offered Offered to web-02, which has not answered yet.`},
		"refused": {[]octopus.Event{offer(1, "web-01"), happened(2, "rejected", "web-01", "web-01 refused it: No exec here."), offer(3, "web-02")},
			`offered/rejected Offered to web-01, which refused it: No exec here. Placed on web-02.
offered Offered to web-02, which has not answered yet.`},
		"cancelled while offered": {[]octopus.Event{offer(1, "web-01"), happened(2, "ended", "web-01", "Cancelled by ada before it started.")},
			"offered/ended Offered to web-01.\nended Cancelled by ada before it started."},
		"never started": {[]octopus.Event{offer(1, "web-01"), accepted(1, "web-01"), happened(5, "withdrawn", "web-01", "web-01 never started it."), offer(6, "web-02")},
			`offered/accepted Offered to web-01, which took it: attempt 1.
withdrawn web-01 never started it. Placed on web-02.
offered Offered to web-02, which has not answered yet.`},
	} {
		if got := told(c.events...); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestStepsAreBounded(t *testing.T) {
	t.Parallel()
	var events []octopus.Event
	for i := range 3 * maxSteps {
		events = append(events, happened(i, "heard", "web-01", fmt.Sprintf("line %d", i)))
	}
	got := stepsOf(events)
	if len(got) != maxSteps || got[0].Message != "line 0" || got[maxSteps-1].Message != fmt.Sprintf("line %d", 3*maxSteps-1) {
		t.Fatalf("%d lines, from %q to %q", len(got), got[0].Message, got[len(got)-1].Message)
	}
	if gap := got[maxSteps/4]; gap.Kind != "left_out" || gap.Count != 2*maxSteps+1 {
		t.Errorf("the gap is %+v", gap)
	}
}

func TestLateResultInWords(t *testing.T) {
	t.Parallel()
	x := in(octopus.Lost)
	body := `{"agent":"web-01","attempt":1,"fence":1,"outcome":"timed_out","response":{"status_code":200,"message":"done"}}`
	l := lateResult(x, store.Evidence{At: x.FinishedAt.Add(3 * time.Minute), Body: []byte(body)})
	if want := "web-01 reported attempt 1 as timed out, 3 min after this had ended. It stays lost."; l.Message != want {
		t.Errorf("%q, want %q", l.Message, want)
	}
	if l.StatusCode != 200 || l.Said != "done" || l.After != 3*time.Minute {
		t.Errorf("%+v", l)
	}
	if l := lateResult(x, store.Evidence{At: x.FinishedAt.Add(-time.Second), Body: []byte(body)}); !strings.Contains(l.Message, "had been given up") {
		t.Errorf("%q", l.Message)
	}
	if l := lateResult(x, store.Evidence{Body: []byte("torn")}); !strings.Contains(l.Message, "cannot be read") {
		t.Errorf("%q", l.Message)
	}
}

// TestSummaries: every state is explained in a sentence, and what lives says what comes next.
func TestSummaries(t *testing.T) {
	t.Parallel()
	for _, status := range octopus.Statuses {
		x := in(status)
		if s := summary(x, nil); s == "" || !strings.HasSuffix(s, ".") {
			t.Errorf("%s: %q", status, s)
		}
		if next := forecast(x); (next == nil) != status.Terminal() {
			t.Errorf("%s: next is %+v", status, next)
		}
	}
}
