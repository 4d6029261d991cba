package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

const taskColumns = `id, name, description, folder, labels, type, work, enabled, revision, owner, created_at, created_by,
updated_at, updated_by, deleted_at`

func scanTask(row scanner) (octopus.Task, error) {
	var t octopus.Task
	var work workRow
	err := row.Scan(&t.ID, &t.Name, &t.Description, &t.Folder, jsonInto{&t.Labels}, &t.Type, jsonInto{&work}, &t.Enabled, &t.Revision, &t.Owner,
		timeInto{&t.CreatedAt}, &t.CreatedBy, timeInto{&t.UpdatedAt}, &t.UpdatedBy, timeInto{&t.DeletedAt})
	t.Work = work.work()
	return t, err
}

// CreateTask stores a task. ID, CreatedAt and Revision are filled in. With a key that was used before it returns
// the task of the first call and replay = true.
func (s *Store) CreateTask(ctx context.Context, task octopus.Task, key *Idempotency) (stored octopus.Task, replay bool, err error) {
	var before string
	err = s.write(ctx, func(t *tx) error {
		stored = task
		if stored.ID == "" {
			stored.ID = octopus.NewID(octopus.PrefixTask, t.now)
		}
		if before, err = t.replayed(key, stored.ID); err != nil || before != "" {
			return err
		}
		if stored.CreatedAt.IsZero() {
			stored.CreatedAt = t.now
		}
		stored.CreatedAt, stored.UpdatedAt, stored.Revision = truncate(stored.CreatedAt), truncate(stored.CreatedAt), 1
		if stored.UpdatedBy == "" {
			stored.UpdatedBy = stored.CreatedBy
		}
		return t.insertTask(&stored)
	})
	if err == nil && before != "" {
		stored, err = s.Task(ctx, before)
		return stored, true, err
	}
	return stored, false, err
}

func (t *tx) insertTask(k *octopus.Task) error {
	_, err := t.exec(`INSERT INTO tasks (id, name, description, folder, labels, type, plugin, work, enabled, revision, owner, created_at, created_by,
updated_at, updated_by, deleted_at) VALUES (`+marks(15)+`, 0)`, k.ID, clean(k.Name), clean(k.Description), clean(k.Folder),
		clean(encodeMap(k.Labels)), string(k.Type), k.Plugin, workText(k.Work), k.Enabled, k.Revision, clean(k.Owner), micros(k.CreatedAt),
		clean(k.CreatedBy), micros(k.UpdatedAt), clean(k.UpdatedBy))
	if isUnique(err) {
		return nameTaken(k.Name)
	}
	t.hint("tasks", k.ID)
	return t.store.fail("task", err)
}

func nameTaken(name string) error {
	return octopus.Errorf(octopus.CodeConflict, "There is another task named %q. Choose another name.", name)
}

// Task returns a task by id or name, with its newest run. A deleted task is found by its id only.
func (s *Store) Task(ctx context.Context, idOrName string) (octopus.Task, error) {
	t, err := loadTask(ctx, s.reads, idOrName)
	if err != nil {
		return t, s.notFound(err, "task", idOrName)
	}
	tasks := []octopus.Task{t}
	err = addLastRuns(ctx, s.reads, tasks)
	return tasks[0], s.fail("task", err)
}

func loadTask(ctx context.Context, q queryer, idOrName string) (octopus.Task, error) {
	where := "name = ? AND deleted_at = 0"
	if octopus.ValidID(octopus.PrefixTask, idOrName) {
		where = "id = ?"
	}
	return scanTask(q.row(ctx, "SELECT "+taskColumns+" FROM tasks WHERE "+where, idOrName))
}

// addLastRuns reads the newest run of each task.
func addLastRuns(ctx context.Context, q queryer, tasks []octopus.Task) error {
	for i := range tasks {
		run, err := scanRun(q.row(ctx, "SELECT "+runColumns+" FROM runs WHERE task_id <> '' AND task_id = ? ORDER BY id DESC LIMIT 1", tasks[i].ID))
		if isNoRow(err) {
			continue
		}
		if err != nil {
			return err
		}
		tasks[i].LastRun = &run
	}
	return nil
}

// UpdateTask changes a task. A revision other than 0 must be the stored one, else CodeStale. What change returns
// as an error undoes it. ID, revision and creation cannot be changed.
func (s *Store) UpdateTask(ctx context.Context, id string, revision int64, change func(*octopus.Task) error) (octopus.Task, error) {
	var k octopus.Task
	err := s.write(ctx, func(t *tx) (err error) {
		if k, err = t.liveTask(id, revision); err != nil {
			return err
		}
		before := k
		if err := change(&k); err != nil {
			return err
		}
		k.ID, k.CreatedAt, k.CreatedBy, k.Revision, k.UpdatedAt = before.ID, before.CreatedAt, before.CreatedBy, before.Revision+1, t.now
		n, err := t.exec(`UPDATE tasks SET name = ?, description = ?, folder = ?, labels = ?, type = ?, plugin = ?, work = ?, enabled = ?, revision = ?,
owner = ?, updated_at = ?, updated_by = ? WHERE id = ? AND revision = ?`, clean(k.Name), clean(k.Description), clean(k.Folder),
			clean(encodeMap(k.Labels)), string(k.Type), k.Plugin, workText(k.Work), k.Enabled, k.Revision, clean(k.Owner), micros(k.UpdatedAt),
			clean(k.UpdatedBy), k.ID, before.Revision)
		if isUnique(err) {
			return nameTaken(k.Name)
		}
		if err == nil && n == 0 {
			return stale(before.Name)
		}
		t.hint("tasks", k.ID)
		return s.fail("task", err)
	})
	return k, err
}

// liveTask loads a task that is not deleted and has the revision.
func (t *tx) liveTask(id string, revision int64) (octopus.Task, error) {
	k, err := loadTask(context.Background(), t, id)
	switch {
	case err == nil && !k.DeletedAt.IsZero():
		return k, octopus.Errorf(octopus.CodeNotFound, "The task %q was deleted.", k.Name)
	case err != nil:
		return k, t.store.notFound(err, "task", id)
	case revision != 0 && revision != k.Revision:
		return k, stale(k.Name)
	}
	return k, nil
}

func stale(name string) error {
	return octopus.Errorf(octopus.CodeStale, "Somebody changed the task %q meanwhile. Load it again and repeat your change.", name)
}

// DeleteTask takes a task out of lists and frees its name. Its runs stay, and [Store.RestoreTask] brings it back.
func (s *Store) DeleteTask(ctx context.Context, id string, revision int64) error {
	return s.write(ctx, func(t *tx) error {
		k, err := t.liveTask(id, revision)
		if err != nil {
			return err
		}
		n, err := t.exec("UPDATE tasks SET deleted_at = ?, revision = revision + 1 WHERE id = ? AND revision = ?", micros(t.now), k.ID, k.Revision)
		if err == nil && n == 0 {
			return stale(k.Name)
		}
		t.hint("tasks", k.ID)
		return s.fail("task", err)
	})
}

const lastDeletedSQL = "SELECT " + taskColumns + " FROM tasks WHERE name = ? AND deleted_at > 0 ORDER BY deleted_at DESC, id DESC LIMIT 1"

// RestoreTask brings a deleted task back as it was, under a new revision. A name means the task of that name that was
// deleted last. It is CodeConflict when the task is not deleted, or its name is taken meanwhile.
func (s *Store) RestoreTask(ctx context.Context, idOrName, by string) (octopus.Task, error) {
	var k octopus.Task
	err := s.write(ctx, func(t *tx) (err error) {
		if octopus.ValidID(octopus.PrefixTask, idOrName) {
			k, err = loadTask(context.Background(), t, idOrName)
		} else {
			k, err = scanTask(t.row(context.Background(), lastDeletedSQL, idOrName))
		}
		switch {
		case err != nil:
			return s.notFound(err, "deleted task", idOrName)
		case k.DeletedAt.IsZero():
			return octopus.Errorf(octopus.CodeConflict, "The task %s is there; it was not deleted.", k.Name)
		}
		k.DeletedAt, k.Revision, k.UpdatedAt, k.UpdatedBy = time.Time{}, k.Revision+1, truncate(t.now), by
		n, err := t.exec("UPDATE tasks SET deleted_at = 0, revision = ?, updated_at = ?, updated_by = ? WHERE id = ? AND deleted_at > 0 AND revision = ?",
			k.Revision, micros(k.UpdatedAt), clean(by), k.ID, k.Revision-1)
		switch {
		case isUnique(err):
			return octopus.Errorf(octopus.CodeConflict, "There is another task named %q by now. Rename that one, then restore this one.", k.Name)
		case err == nil && n == 0:
			return stale(k.Name)
		}
		t.hint("tasks", k.ID)
		return s.fail("task", err)
	})
	return k, err
}
