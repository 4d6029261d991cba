package history_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/e2e/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is a moment, in seconds from the beginning of the history.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// good is a history that keeps every promise and has something for every rule to look at: an execution that was
// lost once and succeeded on its second attempt, one that was cancelled before it began, one that was force-closed,
// and one that was placed anew because its agent had never started it.
func good() history.History {
	response := []byte(`{"status_code":200,"message":"two"}`)
	return history.History{
		Promises: []history.Promise{
			{Kind: history.Submit, Key: "k1", Run: "run_1", Executions: []string{"x1"}, Asked: at(0), At: at(0.1)},
			{Kind: history.Submit, Key: "k2", Run: "run_2", Executions: []string{"x2"}, Asked: at(1), At: at(1.1)},
			{Kind: history.Cancel, Executions: []string{"x2"}, Asked: at(2), At: at(2.1)},
			{Kind: history.Submit, Key: "k3", Run: "run_3", Executions: []string{"x3"}, Asked: at(1), At: at(1.1)},
			{Kind: history.ForceClose, Executions: []string{"x3"}, Asked: at(5), At: at(5.2)},
			{Kind: history.Retry, Key: "k4", Run: "run_4", Executions: []string{"x4"}, Asked: at(6), At: at(6.1)},
		},
		Sightings: []history.Sighting{
			{Observer: "api", Execution: "x1", Status: "running", Attempt: 1, Asked: at(3), At: at(3.1)},
			{Observer: "api", Execution: "x1", Status: "queued", Attempt: 1, Asked: at(20), At: at(20.1)},
			{Observer: "api", Execution: "x1", Status: "succeeded", Attempt: 2, Asked: at(30), At: at(30.1)},
			{Observer: "api", Execution: "x2", Status: "cancelled", Asked: at(4), At: at(4.1)},
			{Observer: "sse", Execution: "x1", Status: "running", Attempt: 2, At: at(31)}, // late on its way
			{Observer: "sse", Execution: "x1", Status: "succeeded", Attempt: 2, At: at(31.1)},
			{Observer: "step", Execution: "x1", Status: "running", Attempt: 2, Fence: 5, Asked: at(25), At: at(25)},
		},
		Views: []history.View{
			{Observer: "page", Since: at(28), At: at(29), Shown: map[string]string{"x2": "queued"}}, // not yet two seconds
			{Observer: "page", Since: at(28), At: at(33), Shown: map[string]string{"x1": "succeeded", "x2": "cancelled"}},
		},
		Stored: []history.Execution{
			{ID: "x1", Run: "run_1", Key: "k1", Status: "succeeded", Attempt: 2, Fence: 5, MaxAttempts: 2, CreatedAt: at(0), FinishedAt: at(30),
				Bound: time.Minute, Response: response, Attempts: []history.Attempt{
					{Number: 1, Fence: 2, Agent: "a", Status: "lost", GoAt: at(1)}, {Number: 2, Fence: 5, Agent: "b", Status: "succeeded", GoAt: at(21)}}},
			{ID: "x2", Run: "run_2", Key: "k2", Status: "cancelled", CancelledBy: "ada", CreatedAt: at(1), FinishedAt: at(2.05), Bound: time.Minute},
			{ID: "x3", Run: "run_3", Key: "k3", Status: "cancelled", Reason: "force_closed", Attempt: 1, Fence: 2, CreatedAt: at(1), FinishedAt: at(5.1),
				Attempts: []history.Attempt{{Number: 1, Fence: 1, Agent: "a", Status: "cancelled", GoAt: at(2)}}},
			{ID: "x4", Run: "run_4", Key: "k4", Status: "succeeded", Attempt: 2, Fence: 4, MaxAttempts: 1, CreatedAt: at(6), FinishedAt: at(9),
				Attempts: []history.Attempt{{Number: 1, Fence: 1, Agent: "a", Status: "lost", NeverRan: true, GoAt: at(6.5)}, {Number: 2, Fence: 4, Agent: "b", Status: "succeeded", GoAt: at(8)}}},
		},
		Journals: []history.Journal{
			{Agent: "a", Started: []history.Start{{Execution: "x1", Fence: 2, Attempt: 1}, {Execution: "x3", Fence: 1, Attempt: 1}}},
			{Agent: "b", Started: []history.Start{{Execution: "x1", Fence: 5, Attempt: 2}, {Execution: "x4", Fence: 4, Attempt: 2}},
				Results: []history.Result{{Execution: "x1", Fence: 5, Attempt: 2, Response: []byte(`{ "status_code":200, "message":"two" }`)}}},
		},
		Witness: []history.Mark{
			{Execution: "x1", Attempt: 1, Start: true, At: at(1.2)},
			{Execution: "x1", Attempt: 1, At: at(1.4)},
			{Execution: "x3", Attempt: 1, Start: true, At: at(2.1)},
			{Execution: "x4", Attempt: 2, Start: true, At: at(8.1)},
			{Execution: "x1", Attempt: 2, Start: true, At: at(21.5)},
			{Execution: "x1", Attempt: 2, At: at(22)},
		},
	}
}

func TestGoodHistory(t *testing.T) {
	t.Parallel()
	for _, v := range history.Check(good()) {
		t.Error(v)
	}
	if found := history.Check(history.History{}); found != nil {
		t.Errorf("an empty history: %v", found)
	}
}

type badHistory struct {
	name  string
	spoil func(h *history.History)
	rules string // those that are broken, with spaces, in the order of history.Rules
}

// bad spoils the good history in one place each: exactly the rules that are named must notice.
var bad = []badHistory{
	{"a submit was forgotten", func(h *history.History) { h.Stored = slices.Delete(h.Stored, 1, 2) }, history.RuleLost},
	{"a retry was forgotten", func(h *history.History) {
		h.Promises[5].Run, h.Promises[5].Executions = "run_9", nil
		h.Promises[5].Key = "k9"
	}, history.RuleLost},
	{"one key made two runs", func(h *history.History) { h.Stored[3].Key = "k1" }, history.RuleDoubled},
	{"an answer and the database disagree about a key", func(h *history.History) {
		h.Promises = append(h.Promises, history.Promise{Kind: history.Submit, Key: "k1", Run: "run_2"})
	}, history.RuleDoubled},
	{"a zombie", func(h *history.History) { h.Stored[3].Status = "running" }, history.RuleEnds},
	{"an end beyond its bound", func(h *history.History) { h.Stored[0].Bound = 29 * time.Second }, history.RuleEnds},
	{"one observer sees an end go back", func(h *history.History) {
		h.Sightings = append(h.Sightings, history.Sighting{Observer: "sse", Execution: "x1", Status: "running", Attempt: 2, At: at(32)})
	}, history.RuleFinal},
	{"a second observer sees it live afterwards", func(h *history.History) {
		h.Sightings = append(h.Sightings, history.Sighting{Observer: "api2", Execution: "x1", Status: "running", Attempt: 2, Asked: at(33), At: at(33.1)})
	}, history.RuleFinal},
	{"two observers see two ends", func(h *history.History) {
		h.Sightings = append(h.Sightings, history.Sighting{Observer: "api2", Execution: "x2", Status: "succeeded", Asked: at(3), At: at(3.1)})
	}, history.RuleFinal},
	{"the database flips", func(h *history.History) { h.Stored[0].Status = "failed"; h.Views = nil }, history.RuleFinal},
	{"a cancel is not stored", func(h *history.History) { h.Stored[1].CancelledBy = "" }, history.RuleCancel},
	{"go after a cancel", func(h *history.History) {
		h.Stored[1].Attempt, h.Stored[1].Fence = 1, 1
		h.Stored[1].Attempts = []history.Attempt{{Number: 1, Fence: 1, GoAt: at(2.2)}}
	}, history.RuleCancel},
	{"a force-close that closes nothing", func(h *history.History) { h.Stored[2].Status, h.Stored[2].Reason = "succeeded", "" }, history.RuleForceClose},
	{"a force-close that waits", func(h *history.History) { h.Stored[2].FinishedAt = at(9) }, history.RuleForceClose},
	{"another result is stored", func(h *history.History) { h.Stored[0].Response = []byte(`{"status_code":200,"message":"one"}`) }, history.RuleResult},
	{"another large result is stored", func(h *history.History) { h.Journals[1].Results[0].SHA256 = strings.Repeat("0", 64) }, history.RuleResult},
	{"one attempt starts twice", func(h *history.History) {
		h.Stored[2].MaxAttempts = 2
		h.Witness = append(h.Witness, history.Mark{Execution: "x3", Attempt: 1, Start: true, At: at(3)})
	}, history.RuleStarts},
	{"a second start under the default policy", func(h *history.History) {
		h.Stored[3].Attempts[0].NeverRan = false
		h.Witness = slices.Insert(h.Witness, 3, history.Mark{Execution: "x4", Attempt: 1, Start: true, At: at(7)})
	}, history.RuleStarts},
	{"two journals start one attempt", func(h *history.History) {
		h.Journals[1].Started = append(h.Journals[1].Started, history.Start{Execution: "x3", Fence: 1, Attempt: 1})
	}, history.RuleStarts},
	{"an old attempt calls late", func(h *history.History) {
		h.Witness = append(h.Witness, history.Mark{Execution: "x1", Attempt: 1, At: at(23)})
	}, history.RuleOverlap},
	{"a fence that shrinks", func(h *history.History) { h.Stored[0].Attempts[1].Fence = 1; h.Journals[1].Results = nil }, history.RuleGrow},
	{"an attempt that is missing", func(h *history.History) {
		h.Stored[0].Attempts = h.Stored[0].Attempts[:1]
	}, history.RuleGrow},
	{"an observer sees an attempt go back", func(h *history.History) {
		h.Sightings = append(h.Sightings, history.Sighting{Observer: "step", Execution: "x1", Status: "queued", Attempt: 1, Asked: at(26), At: at(26)})
	}, history.RuleGrow},
	{"an observer saw a higher fence than is stored", func(h *history.History) { h.Sightings[6].Fence = 6 }, history.RuleGrow},
	{"a journal starts an older fence", func(h *history.History) {
		h.Stored[0].MaxAttempts, h.Stored[0].Fence = 3, 5
		h.Journals[1].Started = append(h.Journals[1].Started, history.Start{Execution: "x1", Fence: 4, Attempt: 0})
	}, history.RuleGrow},
	{"what never started was seen", func(h *history.History) {
		h.Witness = append(h.Witness, history.Mark{Execution: "x2", Attempt: 1, Start: true, At: at(3)})
	}, history.RuleNeverStarted},
	{"what never ran was journalled", func(h *history.History) {
		h.Stored[3].MaxAttempts = 2
		h.Journals[0].Started = append(h.Journals[0].Started, history.Start{Execution: "x4", Fence: 1, Attempt: 1})
	}, history.RuleNeverStarted},
	{"a guest of nowhere", func(h *history.History) {
		h.Witness = append(h.Witness, history.Mark{Execution: "x9", Attempt: 1, Start: true, At: at(3)})
	}, history.RuleNeverStarted},
	{"a child is left", func(h *history.History) { h.Left = []string{"process 17 octopus runner"} }, history.RuleLeft},
	{"a page that missed an end", func(h *history.History) { h.Views[1].Shown["x2"] = "queued" }, history.RuleView},
}

func TestBadHistories(t *testing.T) {
	t.Parallel()
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := good()
			tc.spoil(&h)
			found := history.Check(h)
			if got := strings.Join(history.Broken(found), " "); got != tc.rules {
				t.Errorf("broken: %q, want %q\n%v", got, tc.rules, found)
			}
		})
	}
}

// TestEveryRuleIsTested looks for a bad history of each rule.
func TestEveryRuleIsTested(t *testing.T) {
	t.Parallel()
	for _, rule := range history.Rules {
		if !slices.ContainsFunc(bad, func(tc badHistory) bool { return tc.rules == rule }) {
			t.Errorf("no bad history for %s", rule)
		}
	}
}
