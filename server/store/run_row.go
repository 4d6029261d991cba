package store

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

// workRow is how [octopus.Work] is stored. Names are kept: rows outlive versions. Durations in microseconds.
type workRow struct {
	Plugin      string          `json:"plugin"`
	Version     string          `json:"version,omitempty"`
	Action      string          `json:"action"`
	Params      json.RawMessage `json:"params,omitempty"`
	Target      targetRow       `json:"target"`
	Timeout     int64           `json:"timeout,omitempty"`
	Deadline    int64           `json:"deadline,omitempty"`
	WaitTTL     int64           `json:"wait_ttl,omitempty"`
	LostAfter   int64           `json:"lost_after,omitempty"`
	OnLost      octopus.OnLost  `json:"on_lost,omitempty"`
	MaxAttempts int             `json:"max_attempts,omitempty"`
	Priority    int             `json:"priority,omitempty"`
	Fuel        uint64          `json:"fuel,omitempty"`
	DryRun      bool            `json:"dry_run,omitempty"`
	Sandbox     string          `json:"sandbox,omitempty"`
	Clock       time.Time       `json:"clock,omitzero"`
	Seed        *uint64         `json:"seed,omitempty"`
}

type targetRow struct {
	Mode     octopus.TargetMode `json:"mode,omitempty"`
	Count    int                `json:"count,omitempty"`
	Agent    string             `json:"agent,omitempty"`
	Selector string             `json:"selector,omitempty"`
}

func workText(w octopus.Work) string {
	row := workRow{Plugin: w.Plugin, Version: w.Version, Action: w.Action, Target: targetRow(w.Target),
		Timeout: w.Timeout.Microseconds(), Deadline: w.Deadline.Microseconds(), WaitTTL: w.WaitTTL.Microseconds(),
		LostAfter: w.LostAfter.Microseconds(), OnLost: w.OnLost, MaxAttempts: w.MaxAttempts, Priority: w.Priority, Fuel: w.Fuel, DryRun: w.DryRun,
		Sandbox: string(w.Sandbox), Clock: w.Clock, Seed: w.Seed}
	if json.Valid(w.Params) {
		row.Params = w.Params
	}
	return clean(encode(row))
}

func (r workRow) work() octopus.Work {
	us := time.Microsecond
	return octopus.Work{Plugin: r.Plugin, Version: r.Version, Action: r.Action, Params: r.Params,
		Target: octopus.Target(r.Target), Timeout: time.Duration(r.Timeout) * us, Deadline: time.Duration(r.Deadline) * us,
		WaitTTL: time.Duration(r.WaitTTL) * us, LostAfter: time.Duration(r.LostAfter) * us, OnLost: r.OnLost,
		MaxAttempts: r.MaxAttempts, Priority: r.Priority, Fuel: r.Fuel, DryRun: r.DryRun,
		Sandbox: octopus.SandboxLevel(r.Sandbox), Repeat: octopus.Repeat{Clock: r.Clock, Seed: r.Seed}}
}

const runColumns = `runs.id, task_id, task_name, task_revision, plugin, version, digest, action, target, retry_of, created_by,
source, total, queued, offered, running, succeeded, failed, timed_out, cancelled, lost, expired, rejected,
created_at, started_at, finished_at`

const insertRunSQL = `INSERT INTO runs (id, task_id, task_name, task_revision, plugin, version, digest, action, target,
retry_of, created_by, source, work, total, planned, queued, offered, running, succeeded, failed, timed_out, cancelled, lost,
expired, rejected, created_at, started_at, finished_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, ?, 0, 0)`

// maxInlineWork is how many bytes of params a run's own row holds. Each step of an execution rewrites that row.
const maxInlineWork = 1024

func (t *tx) insertRun(r *octopus.Run, later []octopus.Execution) error {
	work, labels, plan, leftOut := workText(r.Work), clean(encodeMap(r.Labels)), encodePlan(later), ""
	if len(r.LeftOut) > 0 {
		leftOut = clean(encode(r.LeftOut))
	}
	inline := work
	if len(work) > maxInlineWork || labels+plan+leftOut != "" {
		inline = ""
	}
	_, err := t.exec(insertRunSQL, r.ID, r.TaskID, clean(r.TaskName), r.TaskRevision, r.Plugin, r.Version, r.Digest, r.Action,
		encode(targetRow(r.Target)), r.RetryOf, clean(r.CreatedBy), r.Source, inline, int64(r.Total), int64(len(later)),
		int64(r.Counts[octopus.Queued]), int64(r.Counts[octopus.Offered]), micros(r.CreatedAt))
	if err != nil || inline != "" {
		return err
	}
	_, err = t.exec("INSERT INTO run_payloads (run_id, work, labels, left_out, plan) VALUES (?, ?, ?, ?, ?)", r.ID, work, labels, leftOut, plan)
	return err
}

// scanRun reads runColumns, then what extra names.
func scanRun(row scanner, extra ...any) (octopus.Run, error) {
	var r octopus.Run
	var target targetRow
	var n [10]int
	into := []any{&r.ID, &r.TaskID, &r.TaskName, &r.TaskRevision, &r.Plugin, &r.Version, &r.Digest, &r.Action, jsonInto{&target},
		&r.RetryOf, &r.CreatedBy, &r.Source, &r.Total, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9],
		timeInto{&r.CreatedAt}, timeInto{&r.StartedAt}, timeInto{&r.FinishedAt}}
	if err := row.Scan(append(into, extra...)...); err != nil {
		return r, err
	}
	r.Target = octopus.Target(target)
	r.Counts = make(octopus.Counts)
	for i, status := range octopus.Statuses {
		if n[i] != 0 {
			r.Counts[status] = n[i]
		}
	}
	return r, nil
}

func scanLeanRun(row scanner) (octopus.Run, error) { return scanRun(row) }

const loadRunSQL = "SELECT " + runColumns + `, coalesce(p.work, runs.work), coalesce(p.labels, ''), coalesce(p.left_out, '')
FROM runs LEFT JOIN run_payloads p ON p.run_id = runs.id WHERE runs.id = ?`

// loadRun reads a run with its params, labels and the agents that were left out.
func loadRun(ctx context.Context, q queryer, id string) (octopus.Run, error) {
	var work workRow
	var labels map[string]string
	var leftOut []octopus.LeftOut
	r, err := scanRun(q.row(ctx, loadRunSQL, id), jsonInto{&work}, jsonInto{&labels}, jsonInto{&leftOut})
	if err != nil {
		return r, err
	}
	r.Work, r.Labels, r.LeftOut = work.work(), labels, leftOut
	return r, nil
}

// Run returns a run with its params. Its executions are read with RunExecutions.
func (s *Store) Run(ctx context.Context, id string) (octopus.Run, error) {
	r, err := loadRun(ctx, s.reads, id)
	if err != nil {
		return r, s.notFound(err, "run", id)
	}
	return r, nil
}
