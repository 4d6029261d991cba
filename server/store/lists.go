package store

import (
	"context"
	"slices"
	"strings"

	"octopus/internal/octopus"
)

// notSucceeded is the partial indexes' own condition: SQLite uses one only where the query repeats it.
const notSucceeded = " AND status <> 'succeeded'"

// Executions lists executions in the order of their creation, without Params and Response.
func (s *Store) Executions(ctx context.Context, f ExecutionFilter, p Page) (items []octopus.Execution, next string, err error) {
	h := history[octopus.Execution]{table: "executions", columns: executionColumns, scan: scanExecution,
		id: func(x *octopus.Execution) string { return x.ID }}
	for column, value := range map[string]string{"task_id": f.TaskID, "run_id": f.RunID, "agent_id": f.AgentID, "plugin": f.Plugin} {
		if value != "" {
			h.cheap.add(column + " <> ''") // the partial indexes' condition
			h.cheap.add(column+" = ?", value)
		}
	}
	h.cheap.created(octopus.PrefixExecution, f.CreatedSince, f.CreatedUntil)
	if !f.FinishedSince.IsZero() {
		h.slow.add("finished_at >= ?", micros(f.FinishedSince))
	}
	h.slow.contains(f.Text, "task_name", "agent_name", "plugin", "message")
	for _, status := range f.Statuses {
		if !status.Valid() {
			return nil, "", octopus.InvalidField("status", "There is no execution status %q.", status)
		}
		h.split = append(h.split, statusTerm(status, failures))
	}
	items, next, err = h.page(ctx, s.reads, p)
	return items, next, s.fail("executions", err)
}

// failures and failedRuns are the conditions of the partial indexes of what did not succeed, in the indexes' own words: SQLite
// compares texts. A list of more than two values would cost each write of an execution a table in memory.
const (
	failures = " AND (status = 'failed' OR status = 'timed_out' OR status = 'cancelled' OR status = 'lost'" +
		" OR status = 'expired' OR status = 'rejected')"
	failedRuns = " AND status IN ('failed', 'cancelled')"
)

// statusTerm is the condition of one status, as a literal so that the partial indexes apply. ended is the condition
// of what ended without success.
func statusTerm[S ~string](status S, ended string) string {
	term := "status = '" + string(status) + "'"
	if string(status) != string(octopus.Succeeded) {
		term += notSucceeded
	}
	if strings.Contains(ended, "'"+string(status)+"'") {
		term += ended
	}
	return "(" + term + ")"
}

var runStatuses = []octopus.RunStatus{octopus.RunQueued, octopus.RunRunning, octopus.RunSucceeded, octopus.RunFailed, octopus.RunCancelled}

// Runs lists runs in the order of their creation, without params.
func (s *Store) Runs(ctx context.Context, f RunFilter, p Page) (items []octopus.Run, next string, err error) {
	h := history[octopus.Run]{table: "runs", columns: runColumns, scan: scanLeanRun, id: func(r *octopus.Run) string { return r.ID }}
	if f.TaskID != "" {
		h.cheap.add("task_id <> ''")
		h.cheap.add("task_id = ?", f.TaskID)
	}
	if f.Plugin != "" {
		h.cheap.add("plugin = ?", f.Plugin)
	}
	if f.CreatedBy != "" {
		h.slow.add("created_by = ?", f.CreatedBy)
	}
	h.cheap.created(octopus.PrefixRun, f.CreatedSince, f.CreatedUntil)
	h.slow.contains(f.Text, "task_name", "plugin")
	for _, status := range f.Statuses {
		if !slices.Contains(runStatuses, status) {
			return nil, "", octopus.InvalidField("status", "There is no run status %q.", status)
		}
		h.split = append(h.split, statusTerm(status, failedRuns))
	}
	items, next, err = h.page(ctx, s.reads, p)
	return items, next, s.fail("runs", err)
}

// rankSQL puts what needs attention first.
const rankSQL = `CASE status WHEN 'succeeded' THEN 5 WHEN 'queued' THEN 4 WHEN 'offered' THEN 3 WHEN 'running' THEN 2
WHEN 'cancelled' THEN 1 ELSE 0 END`

// RunExecutions lists the executions of a run, failures first, then what lives, then what succeeded. A page's
// Descending is ignored.
func (s *Store) RunExecutions(ctx context.Context, runID string, p Page) (items []octopus.Execution, next string, err error) {
	at, err := p.key()
	if err != nil {
		return nil, "", err
	}
	c := conditions{}
	c.add("run_id = ?", runID)
	if at.Key != "" {
		c.add("("+rankSQL+" > ? OR ("+rankSQL+" = ? AND id > ?))", at.Rank, at.Rank, at.Key)
	}
	limit := bounded(p.Limit)
	query := "SELECT " + executionColumns + " FROM executions" + c.where() + " ORDER BY " + rankSQL + ", id LIMIT ?"
	items, err = list(ctx, s.reads, scanExecution, query, append(c.args, limit+1)...)
	if err != nil {
		return nil, "", s.fail("executions", err)
	}
	if len(items) > limit {
		items = items[:limit]
		last := items[limit-1]
		next = cursor{Key: last.ID, Rank: rank(last.Status)}.String()
	}
	return items, next, nil
}

// rank is rankSQL in Go.
func rank(status octopus.Status) int {
	switch status {
	case octopus.Succeeded:
		return 5
	case octopus.Queued:
		return 4
	case octopus.Offered:
		return 3
	case octopus.Running:
		return 2
	case octopus.Cancelled:
		return 1
	}
	return 0
}
