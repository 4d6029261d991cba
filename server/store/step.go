package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// StepFunc decides what happens to an execution. It is pure: it may be called again with a fresher execution.
type StepFunc = func(x octopus.Execution, now time.Time) (Change, error)

// errRaced says that another server changed the execution between our read and our write.
var errRaced = errors.New("another server changed the execution")

// Step is the only way in which an execution changes. It loads the row (without Params and Response), calls
// step, and writes what it changed by compare-and-set on (status, fence, cancelling): what a step decides depends on
// a cancel, which raises no fence where something runs. [ErrNoChange] writes nothing and
// returns the execution without an error; any other error of step is returned as it is.
func (s *Store) Step(ctx context.Context, id string, step StepFunc) (octopus.Execution, error) {
	var x octopus.Execution
	err := s.writeAbout(ctx, id, func(t *tx) (err error) {
		x, err = t.step(id, step)
		return err
	})
	return x, err
}

// StepBatch steps several executions in one operation: sweeps and disconnects. It returns those that exist, in
// the order of ids. Any error but [ErrNoChange] undoes all of it.
func (s *Store) StepBatch(ctx context.Context, ids []string, step StepFunc) ([]octopus.Execution, error) {
	var stepped []octopus.Execution
	err := s.write(ctx, func(t *tx) error {
		stepped = stepped[:0]
		for _, id := range ids {
			x, err := t.step(id, step)
			if octopus.CodeOf(err) == octopus.CodeNotFound {
				continue
			}
			if err != nil {
				return err
			}
			stepped = append(stepped, x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stepped, nil
}

var loadExecutionSQL = "SELECT " + executionColumns + " FROM executions WHERE id = ?"

// loadExecution reads one execution without Params and Response.
func loadExecution(ctx context.Context, q queryer, id string) (octopus.Execution, error) {
	return scanExecution(q.row(ctx, loadExecutionSQL, id))
}

func (t *tx) step(id string, step StepFunc) (octopus.Execution, error) {
	for try := 1; ; try++ {
		x, err := t.load(id)
		if err != nil {
			return x, t.store.notFound(err, "execution", id)
		}
		change, err := step(x, t.now)
		if errors.Is(err, ErrNoChange) {
			return x, nil
		}
		if err != nil {
			return x, err
		}
		next, err := t.apply(&x, &change)
		if errors.Is(err, errRaced) && try < maxTries {
			t.writer.cache.forget(id)
			continue
		}
		return next, err
	}
}

// load reads an execution without Params and Response, from what the writer remembers where it does.
func (t *tx) load(id string) (octopus.Execution, error) {
	if x, ok := t.writer.cache.get(id); ok {
		return x, nil
	}
	return loadExecution(context.Background(), t, id)
}

// apply writes a change to x and returns the execution as it is now.
func (t *tx) apply(x *octopus.Execution, c *Change) (octopus.Execution, error) {
	if c.Next.ID == "" {
		c.Next = *x // only evidence or events
	}
	if err := checkChange(x, &c.Next); err != nil {
		return *x, err
	}
	changed, err := t.update(x, &c.Next)
	if err != nil {
		return *x, err
	}
	if err := t.attach(x, c); err != nil {
		return *x, t.store.fail("execution "+x.ID, err)
	}
	t.moved(&c.Next, x.Status, c.Next.Status)
	t.writer.cache.put(c.Next)
	if changed || len(c.Events) > 0 || c.Evidence != nil {
		t.hintExecution(x)
	}
	return c.Next, nil
}

func (t *tx) hintExecution(x *octopus.Execution) {
	t.hint("executions", x.ID)
	t.hint("execution:"+x.ID, x.ID)
	t.hint("run:"+x.RunID, x.RunID)
}

// checkChange holds the promises that no step may break.
func checkChange(x, next *octopus.Execution) error {
	switch {
	case next.ID != x.ID || next.RunID != x.RunID:
		return fmt.Errorf("execution %s: a step returned another execution, %s", x.ID, next.ID)
	case next.Status != x.Status && !x.Status.CanBecome(next.Status):
		return fmt.Errorf("execution %s: %s cannot become %s", x.ID, x.Status, next.Status)
	case next.Fence < x.Fence || next.Attempt < x.Attempt:
		return fmt.Errorf("execution %s: fence %d or attempt %d went back", x.ID, next.Fence, next.Attempt)
	}
	return nil
}

// update writes the columns that differ. It reports whether any did.
func (t *tx) update(x, next *octopus.Execution) (bool, error) {
	before, after := movingValues(x), movingValues(next)
	var mask uint32
	args := make([]any, 0, movingCount+4)
	for i := range after {
		if before[i] != after[i] {
			mask |= 1 << i
			args = append(args, after[i])
		}
	}
	if mask == 0 {
		return false, nil
	}
	if x.Status.Terminal() {
		return false, fmt.Errorf("execution %s: it ended as %s and never changes again", x.ID, x.Status)
	}
	n, err := t.exec(t.writer.updateSQL(mask), append(args, x.ID, string(x.Status), x.Fence, x.Cancelling)...)
	switch {
	case isUnique(err):
		return false, octopus.Errorf(octopus.CodeConflict, "That agent already has another execution of this run.")
	case err != nil:
		return false, t.store.fail("execution "+x.ID, err)
	case n == 0:
		return false, errRaced
	}
	return true, nil
}

// updateSQL is the statement that writes the columns of a mask. Only a few dozen masks occur.
func (w *writer) updateSQL(mask uint32) string {
	if query, ok := w.updates[mask]; ok {
		return query
	}
	var set []string
	for i, column := range movingColumns {
		if mask&(1<<i) != 0 {
			set = append(set, column+" = ?")
		}
	}
	if mask&(1<<dueColumn) != 0 {
		set = append(set, "due_at = ?")
	}
	query := "UPDATE executions SET " + strings.Join(set, ", ") + " WHERE id = ? AND status = ? AND fence = ? AND cancelling = ?"
	w.updates[mask] = query
	return query
}

// attach writes what belongs to the change beside the row itself.
func (t *tx) attach(x *octopus.Execution, c *Change) error {
	t.addEvents(x, c.Events)
	if c.Evidence != nil {
		if err := t.addEvidence(x.ID, c.Evidence); err != nil {
			return err
		}
	}
	if x.Status.Terminal() {
		if c.Attempt != nil || len(c.Results) > 0 || len(c.Artifacts) > 0 || len(c.Cache) > 0 {
			return fmt.Errorf("it ended as %s and takes only evidence", x.Status)
		}
		return nil
	}
	if c.Refused != nil {
		if err := t.pluginEventOnce(*c.Refused, refusedWindow); err != nil {
			return err
		}
	}
	if c.Attempt != nil {
		t.putAttempt(&c.Next, c.Attempt)
	}
	if c.Next.Response != nil && !bytes.Equal(c.Next.Response, x.Response) {
		t.later.responses.add(x.ID, clean(string(c.Next.Response)))
	}
	for i := range c.Results {
		if err := t.putResult(x.ID, &c.Results[i]); err != nil {
			return err
		}
	}
	for i := range c.Artifacts {
		if err := t.putArtifact(x.ID, &c.Artifacts[i]); err != nil {
			return err
		}
	}
	for i := range c.Cache {
		if err := t.putCacheEntry(&c.Cache[i]); err != nil {
			return err
		}
	}
	return nil
}

// isNoRow reports that a query found nothing.
func isNoRow(err error) bool { return errors.Is(err, sql.ErrNoRows) }
