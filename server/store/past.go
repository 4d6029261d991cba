package store

import (
	"context"
	"fmt"
	"strings"

	"octopus/internal/octopus"
)

// PastRun is a run that has ended, with its executions. See [Store.AddPast].
type PastRun struct {
	Run        octopus.Run // its counters are those of the executions
	Executions []PastExecution
}

// PastExecution is an execution that has ended, with what happened to it.
type PastExecution struct {
	Execution octopus.Execution
	Events    []octopus.Event
	Attempts  []octopus.Attempt
}

// pastRunSQL is a run's row with all its counters.
var pastRunSQL = rows{
	insert: `INSERT INTO runs (id, task_id, task_name, task_revision, plugin, version, digest, action, target,
retry_of, created_by, source, work, total, planned, queued, offered, running, succeeded, failed, timed_out, cancelled, lost,
expired, rejected, created_at, started_at, finished_at) VALUES `,
	marks: "(" + marks(28) + ")", width: 28,
}

var pastExecutionSQL = rows{
	insert: "INSERT INTO executions (" + strings.Join(append(append([]string{}, fixedColumns...), movingColumns...), ", ") + ", spread, due_at) VALUES ",
	marks:  "(" + marks(fixedCount+movingCount+2) + ")", width: fixedCount + movingCount + 2,
}

// AddPast stores runs that ended in the past, as they were, in one transaction: it is how a load test gets a history
// of a million executions in minutes. The roll-ups count them in the hour of the call. Nothing of it is dispatched.
func (s *Store) AddPast(ctx context.Context, past []PastRun) error {
	return s.write(ctx, func(t *tx) error {
		runs, executions := pastRunSQL, pastExecutionSQL // copies: the operation may run again
		for i := range past {
			if err := t.addPast(&past[i], &runs, &executions); err != nil {
				return err
			}
		}
		if err := runs.flush(t); err != nil {
			return s.fail("past runs", err)
		}
		return s.fail("past executions", executions.flush(t))
	})
}

func (t *tx) addPast(p *PastRun, runs, executions *rows) error {
	counts := make(octopus.Counts)
	for i := range p.Executions {
		x := p.Executions[i].Execution // a copy
		if !x.Status.Terminal() {
			return fmt.Errorf("execution %s has not ended: it is %s", x.ID, x.Status)
		}
		x.RunID = p.Run.ID
		counts[x.Status]++
		moving := movingValues(&x)
		args := append(fixedValues(&x), moving[:movingCount]...)
		executions.add(append(args, false, moving[dueColumn])...)
		t.addEvents(&x, p.Executions[i].Events)
		for _, a := range p.Executions[i].Attempts {
			t.putAttempt(&x, &a)
		}
		t.moves = append(t.moves, move{plugin: x.Plugin, to: x.Status})
	}
	r := &p.Run
	row := []any{
		r.ID, r.TaskID, clean(r.TaskName), r.TaskRevision, r.Plugin, r.Version, r.Digest, r.Action, encode(targetRow(r.Target)),
		r.RetryOf, clean(r.CreatedBy), r.Source, workText(r.Work), int64(len(p.Executions)), int64(0),
	}
	for _, status := range octopus.Statuses {
		row = append(row, int64(counts[status]))
	}
	runs.add(append(row, micros(r.CreatedAt), micros(r.StartedAt), micros(r.FinishedAt))...)
	return nil
}
