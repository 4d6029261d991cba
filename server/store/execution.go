package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"octopus/internal/octopus"
)

const payloadSQL = `SELECT coalesce(p.params, ''), coalesce(p.response, '') FROM executions x
LEFT JOIN execution_payloads p ON p.execution_id = x.id WHERE x.id = ?`

// Execution returns an execution with its Params and Response.
func (s *Store) Execution(ctx context.Context, id string) (octopus.Execution, error) {
	x, err := loadExecution(ctx, s.reads, id)
	if err != nil {
		return x, s.notFound(err, "execution", id)
	}
	if err := s.reads.row(ctx, payloadSQL, id).Scan(rawInto{&x.Params}, rawInto{&x.Response}); err != nil {
		return x, s.notFound(err, "execution", id)
	}
	if x.Params == nil {
		x.Params, err = runParams(ctx, s.reads, x.RunID)
	}
	return x, s.fail("params", err)
}

const runParamsSQL = "SELECT coalesce(p.work, runs.work) FROM runs LEFT JOIN run_payloads p ON p.run_id = runs.id WHERE runs.id = ?"

// runParams reads the params of a run.
func runParams(ctx context.Context, q queryer, runID string) (json.RawMessage, error) {
	var work workRow
	err := q.row(ctx, runParamsSQL, runID).Scan(jsonInto{&work})
	return work.Params, err
}

const claimedParamsSQL = `SELECT coalesce(p.params, ''), runs.work, coalesce(r.work, '') FROM runs
LEFT JOIN run_payloads r ON r.run_id = runs.id LEFT JOIN execution_payloads p ON p.execution_id = ? WHERE runs.id = ?`

// addParams reads the params of executions that are about to be offered.
func addParams(ctx context.Context, q queryer, executions []octopus.Execution) error {
	for i := range executions {
		x := &executions[i]
		var work workRow
		var large workRow
		if err := q.row(ctx, claimedParamsSQL, x.ID, x.RunID).Scan(rawInto{&x.Params}, jsonInto{&work}, jsonInto{&large}); err != nil {
			return err
		}
		if x.Params == nil {
			x.Params = work.Params
		}
		if x.Params == nil {
			x.Params = large.Params
		}
	}
	return nil
}

var heldSQL = "SELECT " + executionColumns + " FROM executions WHERE agent_id = ? AND status IN ('offered', 'running') ORDER BY id"

// Held returns what an agent was offered or runs, oldest first, without Params.
func (s *Store) Held(ctx context.Context, agentID string) ([]octopus.Execution, error) {
	held, err := list(ctx, s.reads, scanExecution, heldSQL, agentID)
	return held, s.fail("held executions", err)
}

var cancelsSQL = "SELECT " + executionColumns + " FROM executions WHERE cancelling AND status = 'running' ORDER BY id LIMIT 10000"

// UndeliveredCancels returns the running executions on these agents whose cancel is not confirmed yet. Almost
// always there are none at all, which costs one look at an empty index however many agents are asked for.
func (s *Store) UndeliveredCancels(ctx context.Context, agentIDs []string) ([]octopus.Execution, error) {
	if len(agentIDs) == 0 {
		return nil, nil
	}
	all, err := list(ctx, s.reads, scanExecution, cancelsSQL)
	if err != nil {
		return nil, s.fail("undelivered cancels", err)
	}
	asked := make(map[string]bool, len(agentIDs))
	for _, id := range agentIDs {
		asked[id] = true
	}
	return slices.DeleteFunc(all, func(x octopus.Execution) bool { return !asked[x.AgentID] }), nil
}

// Work whose not_before has just passed is due for a few sweeps, so that its pool is woken; after that it is the
// claimer's, and only its other timers count.
const (
	dueSQL = `SELECT id FROM executions WHERE due_at > 0 AND due_at <= ? AND (deadline_at > 0 AND deadline_at <= ?
OR status = 'offered' AND offer_expires_at > 0 AND offer_expires_at <= ?
OR status = 'queued' AND (wait_until > 0 AND wait_until <= ? OR not_before > ? AND not_before <= ?)) ORDER BY due_at LIMIT ?`
	laterWindow = 3 * time.Second
)

// Due returns executions whose offer, deadline or wait has run out at now, the longest overdue first, and queued
// ones whose not_before passed within the last 3 s.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	at := micros(now)
	ids, err := list(ctx, s.reads, one[string], dueSQL, at, at, at, at, micros(now.Add(-laterWindow)), at, limit)
	return ids, s.fail("due executions", err)
}

// QueuedPools returns the pools and the agents that queued work waits for, for wake-ups after a start.
func (s *Store) QueuedPools(ctx context.Context) (pools, agentIDs []string, err error) {
	if pools, err = s.distinct(ctx, "pool", "bound_agent = ''"); err != nil {
		return nil, nil, s.fail("queued pools", err)
	}
	agentIDs, err = s.distinct(ctx, "bound_agent", "bound_agent <> ''")
	return pools, agentIDs, s.fail("queued pools", err)
}

// distinct skips from one value of an indexed column to the next: a pool may hold a million rows.
func (s *Store) distinct(ctx context.Context, column, where string) ([]string, error) {
	first := "SELECT " + column + " FROM executions WHERE status = 'queued' AND " + where
	values, err := list(ctx, s.reads, one[string], first+" ORDER BY "+column+" LIMIT 1")
	for err == nil && len(values) > 0 {
		var more []string
		more, err = list(ctx, s.reads, one[string], first+" AND "+column+" > ? ORDER BY "+column+" LIMIT 1", values[len(values)-1])
		if len(more) == 0 {
			break
		}
		values = append(values, more...)
	}
	return values, err
}
