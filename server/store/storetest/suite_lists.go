package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// all walks a list page by page.
func all[T any](t *testing.T, limit int, descending bool, page func(store.Page) ([]T, string, error)) []T {
	t.Helper()
	var items []T
	p := store.Page{Limit: limit, Descending: descending}
	for {
		some, next, err := page(p)
		check(t, err)
		if len(some) > limit {
			t.Fatalf("a page of %d has %d items", limit, len(some))
		}
		items = append(items, some...)
		if next == "" {
			return items
		}
		p.Cursor = next
	}
}

func testExecutionLists(t *testing.T, s *store.Store) {
	var every []octopus.Execution
	for i := range 23 {
		status := octopus.Statuses[i%len(octopus.Statuses)]
		id := reach(t, s, status)
		x, err := s.Execution(t.Context(), id)
		check(t, err)
		x.Params, x.Response = nil, nil
		every = append(every, x)
	}
	since := every[10].CreatedAt
	filters := map[string]struct {
		filter store.ExecutionFilter
		keep   func(octopus.Execution) bool
	}{
		"all":    {store.ExecutionFilter{}, func(octopus.Execution) bool { return true }},
		"failed": {store.ExecutionFilter{Statuses: []octopus.Status{octopus.Failed}}, func(x octopus.Execution) bool { return x.Status == octopus.Failed }},
		"mixed": {store.ExecutionFilter{Statuses: []octopus.Status{octopus.Queued, octopus.Succeeded, octopus.Lost}}, func(x octopus.Execution) bool {
			return x.Status == octopus.Queued || x.Status == octopus.Succeeded || x.Status == octopus.Lost
		}},
		"agent":     {store.ExecutionFilter{AgentID: "agt_1"}, func(x octopus.Execution) bool { return x.AgentID == "agt_1" }},
		"run":       {store.ExecutionFilter{RunID: every[3].RunID}, func(x octopus.Execution) bool { return x.RunID == every[3].RunID }},
		"plugin":    {store.ExecutionFilter{Plugin: "other"}, func(octopus.Execution) bool { return false }},
		"since":     {store.ExecutionFilter{CreatedSince: since}, func(x octopus.Execution) bool { return !x.CreatedAt.Before(since) }},
		"until":     {store.ExecutionFilter{CreatedUntil: since}, func(x octopus.Execution) bool { return x.CreatedAt.Before(since) }},
		"finished":  {store.ExecutionFilter{FinishedSince: since}, func(x octopus.Execution) bool { return !x.FinishedAt.IsZero() && !x.FinishedAt.Before(since) }},
		"text":      {store.ExecutionFilter{Text: "AGT_1"}, func(x octopus.Execution) bool { return x.AgentName != "" }},
		"text+lost": {store.ExecutionFilter{Text: "agt_1", Statuses: []octopus.Status{octopus.Lost, octopus.Failed}}, func(x octopus.Execution) bool { return x.Status == octopus.Lost || x.Status == octopus.Failed }},
	}
	for name, c := range filters {
		for _, descending := range []bool{false, true} {
			got := all(t, 4, descending, func(p store.Page) ([]octopus.Execution, string, error) { return s.Executions(t.Context(), c.filter, p) })
			var want []string
			for _, x := range every {
				if c.keep(x) {
					want = append(want, x.ID)
				}
			}
			if descending {
				slices.Reverse(want)
			}
			var ids []string
			for _, x := range got {
				ids = append(ids, x.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%s (descending %v): %v, want %v", name, descending, ids, want)
			}
		}
	}
	_, _, err := s.Executions(t.Context(), store.ExecutionFilter{Statuses: []octopus.Status{"'; DROP"}}, store.Page{})
	wantCode(t, err, octopus.CodeInvalid)
}

func testRunLists(t *testing.T, s *store.Store) {
	byStatus := map[octopus.RunStatus][]string{}
	for i, status := range octopus.Statuses {
		made := NewRun(s, 1, nil)
		made.Run.TaskID, made.Run.TaskName, made.Run.CreatedBy = "tsk_1", fmt.Sprintf("Task %d", i), "ada"
		run, _, err := s.CreateRun(t.Context(), made)
		check(t, err)
		id := made.Executions[0].ID
		switch {
		case status == octopus.Offered:
			step(t, s, id, Offer("agt_1"))
		case status == octopus.Running:
			step(t, s, id, Offer("agt_1"), Accept)
		case status == octopus.Expired || status == octopus.Rejected:
			step(t, s, id, End(status))
		case status.Terminal():
			step(t, s, id, Offer("agt_1"), Accept, End(status))
		}
		run, err = s.Run(t.Context(), run.ID)
		check(t, err)
		byStatus[run.Status()] = append(byStatus[run.Status()], run.ID)
	}
	for status, want := range byStatus {
		got := all(t, 2, false, func(p store.Page) ([]octopus.Run, string, error) {
			return s.Runs(t.Context(), store.RunFilter{Statuses: []octopus.RunStatus{status}, TaskID: "tsk_1", CreatedBy: "ada"}, p)
		})
		var ids []string
		for _, run := range got {
			ids = append(ids, run.ID)
			equal(t, "status", run.Status(), status)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %v, want %v", status, ids, want)
		}
	}
	got := all(t, 3, true, func(p store.Page) ([]octopus.Run, string, error) {
		return s.Runs(t.Context(), store.RunFilter{Text: "task", Plugin: "noop", CreatedSince: s.Now().Add(-time.Hour)}, p)
	})
	equal(t, "found by text", len(got), len(octopus.Statuses))
	_, _, err := s.Runs(t.Context(), store.RunFilter{Statuses: []octopus.RunStatus{"lost"}}, store.Page{})
	wantCode(t, err, octopus.CodeInvalid)
}

func testRunExecutions(t *testing.T, s *store.Store) {
	run, ids := create(t, s, 7, nil)
	ends := []octopus.Status{octopus.Succeeded, octopus.Failed, octopus.Queued, octopus.Cancelled, octopus.Succeeded, octopus.Expired, octopus.Running}
	for i, status := range ends {
		switch status {
		case octopus.Succeeded, octopus.Failed:
			step(t, s, ids[i], Offer(fmt.Sprint("agt_", i)), Accept, End(status))
		case octopus.Running:
			step(t, s, ids[i], Offer(fmt.Sprint("agt_", i)), Accept)
		case octopus.Queued:
		default:
			step(t, s, ids[i], End(status))
		}
	}
	got := all(t, 2, false, func(p store.Page) ([]octopus.Execution, string, error) {
		return s.RunExecutions(t.Context(), run.ID, p)
	})
	var states []octopus.Status
	for _, x := range got {
		states = append(states, x.Status)
	}
	want := []octopus.Status{octopus.Failed, octopus.Expired, octopus.Cancelled, octopus.Running, octopus.Queued, octopus.Succeeded, octopus.Succeeded}
	if !slices.Equal(states, want) {
		t.Fatalf("order %v, want %v", states, want)
	}
}

func testBadCursor(t *testing.T, s *store.Store) {
	for _, bad := range []string{"x", "!!", "e30", "eyJrIjoxfQ"} {
		for name, list := range map[string]func(store.Page) error{
			"executions": func(p store.Page) error {
				_, _, err := s.Executions(t.Context(), store.ExecutionFilter{}, p)
				return err
			},
			"of a run": func(p store.Page) error { _, _, err := s.RunExecutions(t.Context(), "run_1", p); return err },
			"runs":     func(p store.Page) error { _, _, err := s.Runs(t.Context(), store.RunFilter{}, p); return err },
			"tasks":    func(p store.Page) error { _, _, err := s.Tasks(t.Context(), store.TaskFilter{}, p); return err },
			"agents":   func(p store.Page) error { _, _, err := s.Agents(t.Context(), store.AgentFilter{}, p); return err },
		} {
			if err := list(store.Page{Cursor: bad}); err != nil && octopus.CodeOf(err) != octopus.CodeInvalid {
				t.Errorf("%s with cursor %q: %v", name, bad, err)
			}
		}
	}
}
