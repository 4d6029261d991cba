package octopus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 1000 {
		ids = append(ids, NewID(PrefixRun, now.Add(time.Duration(i/100)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Error("identifiers of one process do not sort by creation, or repeat")
	}
	back := NewID(PrefixRun, now.Add(-time.Hour))
	if back <= ids[len(ids)-1] {
		t.Error("a clock that goes back makes identifiers that do")
	}
	for _, id := range ids {
		if !ValidID(PrefixRun, id) || ValidID(PrefixTask, id) {
			t.Fatalf("%s", id)
		}
	}
	for _, id := range []string{"", "run_", "run_x", ids[0] + "0", strings.ToUpper(ids[0]), "run_" + strings.Repeat("u", 26)} {
		if ValidID(PrefixRun, id) {
			t.Errorf("%q is valid", id)
		}
	}
}

func TestIDsAreUniqueAcrossGoroutines(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				id := NewID(PrefixExecution, time.Now())
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 4000 {
		t.Errorf("%d of 4000 are different", len(seen))
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	for _, s := range Statuses {
		if !s.Valid() {
			t.Errorf("%s is not valid", s)
		}
		for _, next := range Statuses {
			if s.Terminal() && s.CanBecome(next) {
				t.Errorf("terminal %s may become %s", s, next)
			}
		}
		if !s.Terminal() && !(s.CanBecome(Cancelled) && s.CanBecome(Lost) && s.CanBecome(TimedOut)) {
			t.Errorf("%s cannot be ended", s)
		}
	}
	for _, c := range []struct {
		from, to Status
		want     bool
	}{
		{Queued, Offered, true}, {Offered, Running, true}, {Queued, Running, false}, {Queued, Succeeded, false}, {Offered, Succeeded, false},
		{Running, Succeeded, true}, {Running, Queued, true}, {Offered, Queued, true}, {Running, Offered, false}, {Running, Expired, false},
	} {
		if c.from.CanBecome(c.to) != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, !c.want)
		}
	}
	if Status("paused").Valid() || Status("paused").Terminal() {
		t.Error("an unknown state is valid")
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		counts  Counts
		status  RunStatus
		outcome Status
	}{
		{nil, RunQueued, ""}, {Counts{Queued: 1}, RunQueued, ""}, {Counts{Offered: 2}, RunQueued, ""}, {Counts{Queued: 1, Running: 1}, RunRunning, ""},
		{Counts{Queued: 1, Succeeded: 1}, RunRunning, Succeeded}, {Counts{Succeeded: 3}, RunSucceeded, Succeeded},
		{Counts{Succeeded: 2, Cancelled: 1}, RunCancelled, Cancelled}, {Counts{Cancelled: 1}, RunCancelled, Cancelled},
		{Counts{Succeeded: 9, Failed: 1}, RunFailed, Failed}, {Counts{Failed: 1, Lost: 1}, RunFailed, Lost}, {Counts{Expired: 1}, RunFailed, Expired},
	} {
		if got := c.counts.RunStatus(); got != c.status {
			t.Errorf("%v is %s, not %s", c.counts, got, c.status)
		}
		if got := c.counts.Outcome(); got != c.outcome {
			t.Errorf("%v ends as %q, not %q", c.counts, got, c.outcome)
		}
	}
	half := Run{Total: 1000, Counts: Counts{Succeeded: 500}}
	if half.Status() != RunRunning {
		t.Error("a run whose fan-out is being inserted has ended")
	}
	for _, s := range []RunStatus{RunSucceeded, RunFailed, RunCancelled} {
		if !s.Terminal() {
			t.Errorf("%s is not terminal", s)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("run: %w", InvalidField("/params/url", "The parameter %s is required.", "url"))
	if CodeOf(err) != CodeInvalid || Sentence(err) != "The parameter url is required." {
		t.Errorf("%s %q", CodeOf(err), Sentence(err))
	}
	var e *Error
	if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Field != "/params/url" {
		t.Errorf("%+v", e)
	}
	plain := errors.New("SELECT * FROM secrets")
	if CodeOf(plain) != CodeInternal || strings.Contains(Sentence(plain), "SELECT") {
		t.Error("what was not made for people reaches them")
	}
	if CodeOf(nil) != "" {
		t.Error("no error has a code")
	}
}

func TestRolesInclude(t *testing.T) {
	t.Parallel()
	for i, a := range Roles {
		for j, b := range Roles {
			if a.Includes(b) != (i >= j) {
				t.Errorf("%s includes %s: %v", a, b, a.Includes(b))
			}
		}
	}
	if Role("root").Includes(RoleViewer) {
		t.Error("an unknown role includes something")
	}
}

func TestStatusOfAgents(t *testing.T) {
	t.Parallel()
	for want, a := range map[AgentStatus]Agent{
		AgentOnline: {Enabled: true, Connected: true}, AgentOffline: {Enabled: true}, AgentDisabled: {Connected: true},
	} {
		if a.Status() != want {
			t.Errorf("%+v is %s", a, a.Status())
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if d := (Execution{StartedAt: start, FinishedAt: start.Add(3 * time.Second)}).Duration(); d != 3*time.Second {
		t.Error(d)
	}
	if d := (Execution{FinishedAt: start}).Duration(); d != 0 {
		t.Error(d)
	}
}
