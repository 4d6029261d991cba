package dispatch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/store"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	tests = rules{offerTTL: 10 * time.Second, cancelGrace: 10 * time.Second, slack: 30 * time.Second, backoff: 5 * time.Second, waitAny: octopus.WaitTTLPool, waitAgent: octopus.WaitTTLAgent}
)

// in returns an execution in a state, as the machine makes it.
func in(status octopus.Status) octopus.Execution {
	x := octopus.Execution{
		ID: "exe_1", RunID: "run_1", Mode: octopus.TargetAny, Pool: "*", Plugin: "probe", Status: octopus.Queued,
		MaxAttempts: 1, OnLost: octopus.OnLostFail, Timeout: 30 * time.Second, LostAfter: 15 * time.Minute,
		CreatedAt: noon.Add(-time.Minute), QueuedAt: noon.Add(-time.Minute), WaitUntil: noon.Add(time.Hour),
	}
	if status == octopus.Queued {
		return x
	}
	x = tests.offered(x, noon.Add(-5*time.Second), "agt_1", "web-01")
	switch status {
	case octopus.Offered, octopus.Expired, octopus.Rejected:
	default:
		x = tests.run(x, noon.Add(-4*time.Second)).Next
	}
	if status.Terminal() {
		x = end(x, noon.Add(-time.Second), status, "", "")
	}
	return x
}

// from is an event of the agent that has the execution.
func from(k kind) event {
	return event{kind: k, agentID: "agt_1", agentName: "web-01", fence: 1, code: "code", message: "It is so.", by: "ada"}
}

func resultOf(status octopus.Status, code int) *outcome {
	o := &outcome{raw: []byte(`{}`), response: spec.Response{StatusCode: code, Message: "answer"}}
	o.Outcome, o.Attempt, o.ElapsedMS = status, 1, 100
	return o
}

// cells is the whole machine: what each event makes of an execution in each state. "" means that nothing changes,
// "=" that it changes but stays where it is, "!" that the event is refused. Terminal states share a row.
var cells = map[kind]struct {
	event                            func() event
	queued, offered, running, ending octopus.Status
}{
	evOffer:  {func() event { return event{kind: evOffer, agentID: "agt_2", agentName: "web-02"} }, octopus.Offered, "", "", ""},
	evAccept: {func() event { return from(evAccept) }, "", octopus.Running, "", ""},
	evReject: {func() event { e := from(evReject); e.reject = wire.RejectBusy; return e }, "", octopus.Queued, "", ""},
	evStarted: {func() event {
		e := from(evStarted)
		e.prepared = &wire.Prepared{Started: true, ReadyMS: 5}
		return e
	}, "", "", "=", ""},
	evResult:       {func() event { e := from(evResult); e.result = resultOf(octopus.Succeeded, 200); return e }, "?", "=", octopus.Succeeded, ""},
	evCancel:       {func() event { return event{kind: evCancel, by: "ada"} }, octopus.Cancelled, octopus.Cancelled, "=", "!"},
	evDue:          {func() event { return event{kind: evDue, connected: true} }, "", "", "", ""},
	evLost:         {func() event { return from(evLost) }, "", octopus.Queued, octopus.Lost, ""},
	evNeverStarted: {func() event { return from(evNeverStarted) }, "", octopus.Queued, octopus.Queued, ""},
	evHello:        {func() event { e := from(evHello); e.phase = wire.PhaseAccepted; return e }, "", octopus.Running, "", ""},
	evForceClose:   {func() event { return event{kind: evForceClose, by: "ada"} }, octopus.Cancelled, octopus.Cancelled, octopus.Cancelled, "!"},
	evDetach:       {func() event { return from(evDetach) }, "", octopus.Queued, "", ""},
	evSilent:       {func() event { return from(evSilent) }, "", "", "=", ""},
	evHeard:        {func() event { return from(evHeard) }, "", "", "", ""},
	evWaiting:      {func() event { return from(evWaiting) }, "=", "", "", ""},
	evRefuse:       {func() event { return from(evRefuse) }, octopus.Rejected, octopus.Rejected, "", ""},
	evRestored:     {func() event { return event{kind: evRestored} }, "", "", "", ""}, // TestRestored: only what is older than the restore
}

func TestEveryCell(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		row, ok := cells[k]
		if !ok {
			t.Errorf("%s: no row", k)
			continue
		}
		for _, status := range octopus.Statuses {
			want := map[octopus.Status]octopus.Status{octopus.Queued: row.queued, octopus.Offered: row.offered, octopus.Running: row.running}[status]
			if status.Terminal() {
				want = row.ending
			}
			checkCell(t, k, status, want, row.event())
		}
	}
}

func checkCell(t *testing.T, k kind, status, want octopus.Status, e event) {
	t.Helper()
	x := in(status)
	c, _, err := tests.step(x, noon, e)
	unchanged := errors.Is(err, store.ErrNoChange)
	switch {
	case want == "!":
		if octopus.CodeOf(err) != octopus.CodeConflict {
			t.Errorf("%s of %s: %v, not a conflict", k, status, err)
		}
	case want == "?": // a result for a fence that was never given
		if !unchanged {
			t.Errorf("%s of %s: %+v, %v", k, status, c.Next, err)
		}
	case err != nil && !unchanged:
		t.Errorf("%s of %s: %v", k, status, err)
	case want == "" && !unchanged:
		t.Errorf("%s of %s became %s", k, status, c.Next.Status)
	case want == "=" && (unchanged || c.Next.Status != status):
		t.Errorf("%s of %s became %q, not itself", k, status, c.Next.Status)
	case want != "" && want != "=" && c.Next.Status != want:
		t.Errorf("%s of %s became %q, not %s (%v)", k, status, c.Next.Status, want, err)
	case want != "" && want != "=" && len(c.Events) == 0:
		t.Errorf("%s of %s to %s leaves no line in the timeline", k, status, want)
	}
}

// steps runs one event and returns what it made.
func steps(t *testing.T, x octopus.Execution, now time.Time, e event) (octopus.Execution, store.Change, []effect) {
	t.Helper()
	c, effects, err := tests.step(x, now, e)
	if errors.Is(err, store.ErrNoChange) {
		return x, store.Change{}, effects
	}
	if err != nil {
		t.Fatalf("%s: %v", e.kind, err)
	}
	return c.Next, c, effects
}

func only(t *testing.T, effects []effect, k effectKind) effect {
	t.Helper()
	for _, e := range effects {
		if e.kind == k {
			return e
		}
	}
	t.Fatalf("no effect %d among %+v", k, effects)
	return effect{}
}

func TestAcceptIsAnsweredTheSameEachTime(t *testing.T) {
	t.Parallel()
	x, c, effects := steps(t, in(octopus.Offered), noon, from(evAccept))
	if g := only(t, effects, sendGo); g.attempt != 1 || g.fence != 1 || c.Attempt == nil || c.Attempt.Number != 1 {
		t.Fatalf("first accept: %+v %+v", g, c.Attempt)
	}
	if x.DeadlineAt != noon.Add(60*time.Second) {
		t.Fatalf("overdue at %s", x.DeadlineAt)
	}
	again, c, effects := steps(t, x, noon.Add(5*time.Second), from(evAccept))
	if g := only(t, effects, sendGo); g.attempt != 1 || c.Events != nil || again.Attempt != 1 {
		t.Fatalf("second accept: %+v", g)
	}
	other := from(evAccept)
	other.agentID = "agt_2"
	_, _, effects = steps(t, x, noon, other)
	only(t, effects, sendWithdrawn)
}

func TestOfferExpires(t *testing.T) {
	t.Parallel()
	x, c, effects := steps(t, in(octopus.Offered), noon.Add(6*time.Second), event{kind: evDue})
	if x.Status != octopus.Queued || x.Fence != 2 || x.AgentID != "" || x.Attempt != 0 {
		t.Fatalf("%+v", x)
	}
	if w := only(t, effects, sendWithdrawn); w.fence != 1 {
		t.Fatalf("%+v", w)
	}
	want := "web-01 did not accept it within 10 s."
	if c.Events[0].Message != want || c.Events[0].AgentName != "web-01" {
		t.Fatalf("%+v", c.Events[0])
	}
	_, _, effects = steps(t, x, noon, from(evAccept))
	only(t, effects, sendWithdrawn)
}

func TestRejects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		reason wire.RejectReason
		bound  bool
		left   int
		want   octopus.Status
	}{
		{"busy", wire.RejectBusy, false, 0, octopus.Queued},
		{"no space on a bound agent", wire.RejectNoSpace, true, 0, octopus.Queued},
		{"policy, others left", wire.RejectPolicy, false, 2, octopus.Queued},
		{"policy, none left", wire.RejectPolicy, false, 0, octopus.Rejected},
		{"sandbox, bound", wire.RejectSandbox, true, 2, octopus.Rejected},
		{"plugin", wire.RejectPlugin, false, 1, octopus.Queued},
	} {
		x := in(octopus.Offered)
		if c.bound {
			x.BoundAgent, x.Pool = "agt_1", ""
		}
		e := from(evReject)
		e.reject, e.left, e.message = c.reason, c.left, "The owner's policy forbids it."
		x, change, _ := steps(t, x, noon, e)
		if x.Status != c.want || x.Fence != 2 || x.Attempt != 0 {
			t.Errorf("%s: %s fence %d", c.name, x.Status, x.Fence)
		}
		forGood := c.reason != wire.RejectBusy && c.reason != wire.RejectNoSpace
		if forGood != (len(x.Excluded) == 1) {
			t.Errorf("%s: excluded %v", c.name, x.Excluded)
		}
		if x.Status == octopus.Rejected && (x.Reason == nil || x.Reason.Message == "") || len(change.Events) != 1 {
			t.Errorf("%s: reason %+v, events %+v", c.name, x.Reason, change.Events)
		}
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		outcome  octopus.Status
		code     int
		mayRetry bool
		attempts int
		want     octopus.Status
		reason   string
	}{
		{"good", octopus.Succeeded, 200, false, 1, octopus.Succeeded, ""},
		{"says good, is not", octopus.Succeeded, 500, false, 1, octopus.Failed, "failed"},
		{"bad", octopus.Failed, 404, false, 1, octopus.Failed, "failed"},
		{"bad, may be retried, no attempt left", octopus.Failed, 503, true, 1, octopus.Failed, "failed"},
		{"bad, retried", octopus.Failed, 503, true, 3, octopus.Queued, ""},
		{"bad, permanent", octopus.Failed, 404, false, 3, octopus.Failed, "failed"},
		{"too long", octopus.TimedOut, 504, false, 1, octopus.TimedOut, "timeout"},
		{"too long, retried", octopus.TimedOut, 504, true, 2, octopus.Queued, ""},
		{"killed here", octopus.Cancelled, 499, false, 1, octopus.Cancelled, "cancelled"},
		{"restarted", octopus.Lost, 0, false, 1, octopus.Lost, "agent_restarted"},
	} {
		x := in(octopus.Running)
		x.MaxAttempts = c.attempts
		e := from(evResult)
		e.result = resultOf(c.outcome, c.code)
		e.result.MayRetry = c.mayRetry
		x, change, effects := steps(t, x, noon, e)
		if x.Status != c.want || x.Attempt != 1 || x.Fence != 1 {
			t.Errorf("%s: %s attempt %d fence %d", c.name, x.Status, x.Attempt, x.Fence)
		}
		if (c.reason != "") != (x.Reason != nil) || x.Reason != nil && x.Reason.Code != c.reason {
			t.Errorf("%s: reason %+v", c.name, x.Reason)
		}
		if change.Attempt == nil || !change.Attempt.Status.Terminal() {
			t.Errorf("%s: attempt %+v", c.name, change.Attempt)
		}
		if a := only(t, effects, sendAck); a.verdict != wire.VerdictCommitted {
			t.Errorf("%s: %+v", c.name, a)
		}
		if _, again, effects := steps(t, x, noon, e); only(t, effects, sendAck).verdict != wire.VerdictDuplicate || again.Evidence != nil {
			t.Errorf("%s: the second time %+v", c.name, effects)
		}
	}
}

// TestNeverStarted: an attempt whose guest could not be started leaves the others to come, but not without end.
func TestNeverStarted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		attempt, max int
		change       func(*octopus.Execution, *outcome)
		want         octopus.Status
	}{
		{"the only attempt", 1, 1, nil, octopus.Queued},
		{"the last spare one", 3, 1, nil, octopus.Queued},
		{"no spare one is left", 4, 1, nil, octopus.Failed},
		{"the last of several", 2, 2, nil, octopus.Queued},
		{"of several, no spare one is left", 5, 2, nil, octopus.Failed},
		{"a guest ran", 1, 1, func(_ *octopus.Execution, o *outcome) { o.Usage.GuestUS = 1 }, octopus.Failed},
		{"a guest ran for a while", 1, 1, func(_ *octopus.Execution, o *outcome) { o.ElapsedMS = 1 }, octopus.Failed},
		{"an agent that does not say so", 1, 1, func(_ *octopus.Execution, o *outcome) { o.NeverStarted = false }, octopus.Failed},
		{"it would not help", 1, 1, func(_ *octopus.Execution, o *outcome) { o.MayRetry = false }, octopus.Failed},
		{"it was cancelled", 1, 1, func(x *octopus.Execution, _ *outcome) { x.Cancelling = true }, octopus.Failed},
		{"no time is left", 1, 1, func(x *octopus.Execution, _ *outcome) { x.WaitUntil = noon.Add(time.Second) }, octopus.Failed},
	} {
		x := in(octopus.Running)
		x.Attempt, x.MaxAttempts = c.attempt, c.max
		e := from(evResult)
		e.result = resultOf(octopus.Failed, 500)
		e.result.Attempt, e.result.ElapsedMS, e.result.Reason = c.attempt, 0, spec.CodeSandbox
		e.result.MayRetry, e.result.NeverStarted = true, true
		if c.change != nil {
			c.change(&x, e.result)
		}
		y, change, effects := steps(t, x, noon, e)
		if y.Status != c.want || y.MaxAttempts != c.max || y.Attempt != c.attempt || only(t, effects, sendAck).verdict != wire.VerdictCommitted {
			t.Errorf("%s: %s, attempt %d of %d", c.name, y.Status, y.Attempt, y.MaxAttempts)
		}
		if change.Attempt == nil || change.Attempt.Status != octopus.Failed || change.Attempt.Reason.Code != spec.CodeSandbox {
			t.Errorf("%s: attempt %+v", c.name, change.Attempt)
		}
		if c.want != octopus.Queued {
			continue
		}
		if y.NotBefore.Before(noon.Add(time.Second)) || !strings.Contains(y.Waiting.Message, "could not start; trying again in") {
			t.Errorf("%s: not before %s, %+v", c.name, y.NotBefore, y.Waiting)
		}
		if _, again, effects := steps(t, y, noon, e); only(t, effects, sendAck).verdict != wire.VerdictDuplicate || again.Evidence != nil {
			t.Errorf("%s: the second time %+v", c.name, effects)
		}
	}
}

func TestResultTimes(t *testing.T) {
	t.Parallel()
	e := from(evResult)
	e.result = resultOf(octopus.Succeeded, 200)
	e.result.Usage = wire.Usage{ReadyUS: 2_000_000, DownloadUS: 500_000, CompileUS: 1_000_000, GuestUS: 1_500_000, Fuel: 1 << 63}
	x, c, _ := steps(t, in(octopus.Running), noon, e)
	if !x.StartedAt.Equal(noon.Add(-2*time.Second)) || x.Duration() != 1500*time.Millisecond {
		t.Fatalf("started %s, took %s", x.StartedAt, x.Duration())
	}
	if x.Usage.Fuel != 1<<63-1 {
		t.Errorf("%d units of fuel, more than the database holds", x.Usage.Fuel)
	}
	var kinds []string
	for _, l := range c.Events {
		kinds = append(kinds, l.Kind)
	}
	if len(kinds) != 3 || kinds[0] != "prepared" || kinds[1] != "started" || kinds[2] != "ended" {
		t.Fatalf("timeline %v", kinds)
	}
}

func TestResponsesWriteOnlyOnSuccess(t *testing.T) {
	t.Parallel()
	data := []spec.Operation{
		{Type: spec.OpDB, Name: "rows", Value: []byte(`[1]`)}, {Type: spec.OpCache, Name: "last", Value: []byte(`1`), TTLSeconds: 60},
		{Type: spec.OpFile, Name: "f", Value: []byte(`"x"`)},
	}
	for _, code := range []int{200, 500} {
		e := from(evResult)
		e.result = resultOf(octopus.Succeeded, code)
		e.result.response.Data = data
		_, c, _ := steps(t, in(octopus.Running), noon, e)
		if good := code == 200; good != (len(c.Results) == 1) || good != (len(c.Cache) == 1) {
			t.Fatalf("%d: %+v %+v", code, c.Results, c.Cache)
		}
		if code == 200 && (c.Cache[0].Key != "plugin/probe/last" || !c.Cache[0].ExpiresAt.Equal(noon.Add(time.Minute)) || c.Results[0].Name != "rows") {
			t.Fatalf("%+v %+v", c.Cache, c.Results)
		}
	}
}

func TestLateResultsAreEvidence(t *testing.T) {
	t.Parallel()
	lost, _, _ := steps(t, in(octopus.Running), noon, from(evLost))
	e := from(evResult)
	e.result = resultOf(octopus.Succeeded, 200)
	after, c, effects := steps(t, lost, noon, e)
	if after.Status != octopus.Lost || c.Evidence == nil || only(t, effects, sendAck).verdict != wire.VerdictSuperseded {
		t.Fatalf("%s %s %+v", after.Status, c.Evidence, effects)
	}
	again := in(octopus.Offered)
	again.Fence = 5
	_, c, effects = steps(t, again, noon, e)
	if c.Evidence == nil || only(t, effects, sendAck).verdict != wire.VerdictStale {
		t.Fatalf("%s %+v", c.Evidence, effects)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	x, _, effects := steps(t, in(octopus.Offered), noon, event{kind: evCancel, by: "ada"})
	if x.Status != octopus.Cancelled || x.Fence != 2 || only(t, effects, sendWithdrawn).fence != 1 {
		t.Fatalf("offered: %+v", x)
	}
	x, _, effects = steps(t, in(octopus.Running), noon, event{kind: evCancel, by: "ada"})
	if !x.Cancelling || only(t, effects, sendCancel).grace != tests.cancelGrace {
		t.Fatalf("running: %+v", x)
	}
	won := from(evResult)
	won.result = resultOf(octopus.Succeeded, 200)
	if y, _, _ := steps(t, x, noon, won); y.Status != octopus.Succeeded {
		t.Fatalf("a true result that came first became %s", y.Status)
	}
	won.result = resultOf(octopus.Failed, 503)
	won.result.MayRetry = true
	x.MaxAttempts = 5
	if y, _, _ := steps(t, x, noon, won); y.Status != octopus.Failed {
		t.Fatalf("a cancelled execution was retried: %s", y.Status)
	}
	y, _, _ := steps(t, x, noon.Add(41*time.Second), event{kind: evDue, connected: true})
	if y.Status != octopus.Lost || y.Reason.Code != "cancel_not_confirmed" {
		t.Fatalf("unconfirmed: %s %+v", y.Status, y.Reason)
	}
	x.OnLost, x.Idempotent = octopus.OnLostRetry, true
	if y, _, _ := steps(t, x, noon, from(evLost)); y.Status != octopus.Lost || y.Reason.Code != "cancel_not_confirmed" {
		t.Fatalf("silent: %s %+v", y.Status, y.Reason)
	}
}

func TestLostIsRetriedOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		onLost     octopus.OnLost
		idempotent bool
		attempts   int
		deadline   time.Duration
		want       octopus.Status
	}{
		{"default", octopus.OnLostFail, true, 3, 0, octopus.Lost},
		{"not idempotent", octopus.OnLostRetry, false, 3, 0, octopus.Lost},
		{"no attempt left", octopus.OnLostRetry, true, 1, 0, octopus.Lost},
		{"no time left", octopus.OnLostRetry, true, 3, time.Second, octopus.Lost},
		{"allowed", octopus.OnLostRetry, true, 3, time.Hour, octopus.Queued},
	} {
		x := in(octopus.Offered)
		if c.deadline > 0 {
			x.DeadlineAt = noon.Add(c.deadline)
		}
		x = tests.run(x, noon).Next
		x.OnLost, x.Idempotent, x.MaxAttempts = c.onLost, c.idempotent, c.attempts
		y, change, _ := steps(t, x, noon, from(evLost))
		if y.Status != c.want || y.Fence != 2 || change.Attempt == nil || change.Attempt.Status != octopus.Lost {
			t.Errorf("%s: %s fence %d attempt %+v", c.name, y.Status, y.Fence, change.Attempt)
		}
		if y.Status == octopus.Queued && (!y.NotBefore.After(noon) || !y.DeadlineAt.Equal(x.WaitUntil) || y.Waiting.Code != "retry") {
			t.Errorf("%s: not before %s, deadline %s", c.name, y.NotBefore, y.DeadlineAt)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	x := in(octopus.Running)
	for attempt, most := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 90: time.Hour} {
		x.Attempt = attempt
		if p := tests.pause(x); p < most/2 || p > most {
			t.Errorf("attempt %d: %s", attempt, p)
		}
	}
	x.Attempt, x.MaxAttempts = 1, 2
	e := from(evResult)
	e.result = resultOf(octopus.Failed, 429)
	e.result.MayRetry, e.result.RetryAfterMS = true, 90_000
	y, _, _ := steps(t, x, noon, e)
	if !y.NotBefore.Equal(noon.Add(90 * time.Second)) {
		t.Errorf("retry_after: %s", y.NotBefore.Sub(noon))
	}
	if z, _, _ := steps(t, y, noon, event{kind: evOffer, agentID: "agt_2"}); z.Status != octopus.Queued {
		t.Errorf("offered before its time")
	}
	if z, _, effects := steps(t, y, noon.Add(91*time.Second), event{kind: evDue}); !z.NotBefore.IsZero() || len(effects) != 1 {
		t.Errorf("not woken: %+v", z)
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	queued := in(octopus.Queued)
	queued.Waiting = &octopus.Waiting{Code: "no_agent", Message: "No agent matches env=prod."}
	x, _, _ := steps(t, queued, noon.Add(time.Hour), event{kind: evDue})
	if x.Status != octopus.Expired || x.Reason.Message != "No agent took it within 61 min. No agent matches env=prod." {
		t.Errorf("%s: %+v", x.Status, x.Reason)
	}
	queued.DeadlineAt = noon
	if x, _, _ := steps(t, queued, noon, event{kind: evDue}); x.Status != octopus.TimedOut || x.Reason.Code != "deadline" {
		t.Errorf("deadline: %s", x.Status)
	}
	running := in(octopus.Running)
	for connected, want := range map[bool]octopus.Status{true: octopus.TimedOut, false: octopus.Lost} {
		x, c, effects := steps(t, running, noon.Add(57*time.Second), event{kind: evDue, connected: connected})
		if x.Status != want || x.Fence != 2 || c.Attempt.Status != want || only(t, effects, sendCancel).grace != 0 {
			t.Errorf("overdue, connected %v: %s", connected, x.Status)
		}
	}
	e := from(evStarted)
	e.prepared = &wire.Prepared{Started: true, ReadyMS: 20_000}
	slow, _, _ := steps(t, running, noon.Add(20*time.Second), e)
	if x, _, _ := steps(t, slow, noon.Add(60*time.Second), event{kind: evDue, connected: true}); x.Status != octopus.Running {
		t.Errorf("getting ready counted against the timeout: %s", x.Status)
	}
}

func TestHelloAnswers(t *testing.T) {
	t.Parallel()
	cancelling := in(octopus.Running)
	cancelling.Cancelling = true
	stale := in(octopus.Running)
	stale.Fence = 4
	for _, c := range []struct {
		name  string
		x     octopus.Execution
		phase wire.Phase
		want  wire.Answer
	}{
		{"accepted, still offered", in(octopus.Offered), wire.PhaseAccepted, wire.AnswerGo},
		{"accepted, go was lost", in(octopus.Running), wire.PhaseAccepted, wire.AnswerGo},
		{"accepted, withdrawn meanwhile", in(octopus.Queued), wire.PhaseAccepted, wire.AnswerDiscard},
		{"accepted, ended", in(octopus.Cancelled), wire.PhaseAccepted, wire.AnswerDiscard},
		{"accepted, being cancelled", cancelling, wire.PhaseAccepted, wire.AnswerCancel},
		{"started", in(octopus.Running), wire.PhaseStarted, wire.AnswerKeep},
		{"started, being cancelled", cancelling, wire.PhaseStarted, wire.AnswerCancel},
		{"started, somebody else has it", stale, wire.PhaseStarted, wire.AnswerCancel},
		{"started, ended", in(octopus.Lost), wire.PhaseStarted, wire.AnswerCancel},
		{"started without a go", in(octopus.Offered), wire.PhaseStarted, wire.AnswerCancel},
		{"done", in(octopus.Running), wire.PhaseDone, wire.AnswerSendResult},
		{"done and recorded", in(octopus.Succeeded), wire.PhaseDone, wire.AnswerSendResult},
		{"done too late", in(octopus.Lost), wire.PhaseDone, wire.AnswerSendResult},
	} {
		e := from(evHello)
		e.phase = c.phase
		_, _, effects := steps(t, c.x, noon, e)
		if a := only(t, effects, sendAnswer); a.answer != c.want {
			t.Errorf("%s: %s, not %s", c.name, a.answer, c.want)
		}
	}
}

// A retry waits for an agent as long as its task says, not as long as tasks that say nothing.
func TestRetryWaitsAsItsTaskSays(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]time.Duration{0: octopus.WaitTTLPool, 45 * time.Second: 45 * time.Second} {
		e := from(evResult)
		e.result, e.wait = resultOf(octopus.Failed, 503), wait
		e.result.MayRetry = true
		x := in(octopus.Running)
		x.MaxAttempts = 2
		if y, _, _ := steps(t, x, noon, e); y.Status != octopus.Queued || y.WaitUntil.Sub(y.NotBefore) != want {
			t.Errorf("wait %s: %s until %s after its pause", wait, y.Status, y.WaitUntil.Sub(y.NotBefore))
		}
	}
}
