package dispatch

import (
	"context"
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// A restored database has forgotten what happened since its backup. What waited then may have run since, on agents
// that were told so by a database that is gone: under the default policy it must not run again.

// afterRestore makes the rules those of a database that was restored.
func (r *rules) afterRestore(last store.Restore) {
	r.floor, r.requeue = last.Floor(), last.Requeue
	r.since = last.BackupAt.UTC().Format("2006-01-02 15:04:05 UTC")
}

// forgot says why nobody knows what became of an execution.
func (r rules) forgot() string {
	return "The database was restored from a backup of " + r.since + ", and nobody knows whether it ran since."
}

// restored settles what waited when the backup was made. What runs is left to its agent: it may still have it.
func (r rules) restored(x octopus.Execution, now time.Time) (store.Change, []effect, error) {
	if x.Fence >= r.floor || x.Status != octopus.Queued && x.Status != octopus.Offered {
		return keep()
	}
	if !r.requeue && (x.OnLost != octopus.OnLostRetry || !x.Idempotent) {
		return r.close(x, now, octopus.Lost, "restored", r.forgot()), nil, nil
	}
	c := change(x, "restored", "The database was restored from a backup of %s; it waits again.", r.since)
	notBefore := x.NotBefore
	c.Next = r.queueAgain(x, now)
	c.Next.NotBefore, c.Next.WaitUntil = notBefore, now.Add(r.waitTTL(x))
	return c, []effect{{kind: wakeClaimer}}, nil
}

// forgotten ends an attempt of before the restore that its agent does not know (any more): an intact journal proves
// only that the agent does not have it now.
func (r rules) forgotten(x octopus.Execution, now time.Time) (store.Change, []effect, error) {
	c, effects := r.lose(x, now, "restored", r.forgot())
	return c, effects, nil
}

// Restored is what a restored database does besides what dispatch uses every day.
type Restored interface {
	StepBatch(ctx context.Context, ids []string, step store.StepFunc) ([]octopus.Execution, error)
	RestoreSettled(ctx context.Context) error
}

// settleBatch is how many executions are settled in one transaction.
const settleBatch = 200

// Settle decides about what a restored database left waiting, once after each restore. Call it before agents can
// attach: what may have run must not be offered again. It may be called again after a crash at any point.
func (d *Dispatcher) Settle(ctx context.Context, database Restored) error {
	last := d.cfg.Restore
	if last.Generation == 0 || last.Settled {
		return nil
	}
	if err := d.expandAll(ctx); err != nil {
		return err
	}
	n, err := d.settle(ctx, database)
	if err != nil {
		return err
	}
	d.cfg.Log.Info("the database was restored from a backup; what waited in it is settled", "backup", d.rules.since, "executions", n)
	return database.RestoreSettled(ctx)
}

// expandAll inserts what is planned: it counts among what waited.
func (d *Dispatcher) expandAll(ctx context.Context) error {
	for {
		runs, err := d.store.UnexpandedRuns(ctx)
		if err != nil {
			return fmt.Errorf("planned executions: %w", err)
		}
		if len(runs) == 0 {
			return nil
		}
		for _, id := range runs {
			for left := 1; left > 0; {
				if left, err = d.store.ExpandRun(ctx, id); err != nil {
					return fmt.Errorf("planned executions: %w", err)
				}
			}
		}
	}
}

func (d *Dispatcher) settle(ctx context.Context, database Restored) (n int, err error) {
	filter := store.ExecutionFilter{Statuses: []octopus.Status{octopus.Queued, octopus.Offered}}
	page := store.Page{Limit: settleBatch}
	for {
		list, next, err := d.store.Executions(ctx, filter, page)
		if err != nil {
			return n, fmt.Errorf("what waited: %w", err)
		}
		ids := make([]string, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		settled, err := database.StepBatch(ctx, ids, func(x octopus.Execution, now time.Time) (store.Change, error) {
			c, _, err := d.rules.step(x, now, event{kind: evRestored})
			return c, err
		})
		if err != nil {
			return n, fmt.Errorf("what waited: %w", err)
		}
		n += len(settled)
		if page.Cursor = next; next == "" {
			return n, nil
		}
	}
}
