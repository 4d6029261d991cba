package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func task(name string) octopus.Task {
	return octopus.Task{Name: name, Description: "d", Folder: "f", Labels: map[string]string{"team": "web"}, Type: octopus.TaskAdhoc, Enabled: true,
		Owner: "ada", CreatedBy: "ada", Work: octopus.Work{Plugin: "noop", Version: "^1", Action: "run", Params: json.RawMessage(`{"a":[1]}`),
			Target:  octopus.Target{Mode: octopus.TargetAll, Selector: "env=prod"},
			Timeout: time.Minute, Deadline: time.Hour, WaitTTL: 2 * time.Hour, LostAfter: time.Minute, OnLost: octopus.OnLostRetry, MaxAttempts: 3, Priority: 7, Fuel: 1 << 40,
			Sandbox: octopus.SandboxFull, Repeat: octopus.Repeat{Clock: time.Unix(0, 1).UTC(), Seed: new(uint64(7))}}}
}

func testTasks(t *testing.T, s *store.Store) {
	key := &store.Idempotency{Scope: "ada POST /tasks", Key: "k", BodyHash: []byte{1}}
	made, replay, err := s.CreateTask(t.Context(), task("nightly"), key)
	check(t, err)
	equal(t, "replay", replay, false)
	equal(t, "revision", made.Revision, 1)
	again, replay, err := s.CreateTask(t.Context(), task("nightly"), key)
	check(t, err)
	equal(t, "replay", replay, true)
	equal(t, "task", again.ID, made.ID)
	for _, idOrName := range []string{made.ID, "nightly"} {
		stored, err := s.Task(t.Context(), idOrName)
		check(t, err)
		if !reflect.DeepEqual(stored, made) {
			t.Fatalf("stored\n%+v\nwant\n%+v", stored, made)
		}
	}
	_, _, err = s.CreateTask(t.Context(), task("nightly"), nil)
	wantCode(t, err, octopus.CodeConflict)
	other, _, err := s.CreateTask(t.Context(), task("weekly"), nil)
	check(t, err)

	changed, err := s.UpdateTask(t.Context(), made.ID, 1, func(k *octopus.Task) error { k.Name, k.Enabled = "daily", false; return nil })
	check(t, err)
	equal(t, "revision", changed.Revision, 2)
	_, err = s.UpdateTask(t.Context(), made.ID, 1, func(*octopus.Task) error { return nil })
	wantCode(t, err, octopus.CodeStale)
	_, err = s.UpdateTask(t.Context(), other.ID, 0, func(k *octopus.Task) error { k.Name = "daily"; return nil })
	wantCode(t, err, octopus.CodeConflict)
	refused := errors.New("no")
	if _, err = s.UpdateTask(t.Context(), other.ID, 0, func(k *octopus.Task) error { k.Name = "x"; return refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	_, err = s.Task(t.Context(), "nightly")
	wantCode(t, err, octopus.CodeNotFound)

	wantCode(t, s.DeleteTask(t.Context(), made.ID, 1), octopus.CodeStale)
	check(t, s.DeleteTask(t.Context(), made.ID, 2))
	wantCode(t, s.DeleteTask(t.Context(), made.ID, 0), octopus.CodeNotFound)
	_, err = s.Task(t.Context(), "daily")
	wantCode(t, err, octopus.CodeNotFound)
	gone, err := s.Task(t.Context(), made.ID)
	check(t, err)
	if gone.DeletedAt.IsZero() {
		t.Fatal("a deleted task does not say so")
	}
	_, _, err = s.CreateTask(t.Context(), task("daily"), nil)
	check(t, err)
}

func testTaskRestore(t *testing.T, s *store.Store) {
	made, _, err := s.CreateTask(t.Context(), task("nightly"), nil)
	check(t, err)
	ran := NewRun(s, 1, nil)
	ran.Run.TaskID = made.ID
	_, _, err = s.CreateRun(t.Context(), ran)
	check(t, err)

	_, err = s.RestoreTask(t.Context(), made.ID, "bob")
	wantCode(t, err, octopus.CodeConflict)
	_, err = s.RestoreTask(t.Context(), "nightly", "bob")
	wantCode(t, err, octopus.CodeNotFound)
	check(t, s.DeleteTask(t.Context(), made.ID, 0))
	deleted := func() (names string) {
		for _, k := range all(t, 1, false, func(p store.Page) ([]octopus.Task, string, error) {
			return s.Tasks(t.Context(), store.TaskFilter{Deleted: true}, p)
		}) {
			names += k.Name + " "
		}
		return names
	}
	equal(t, "deleted", deleted(), "nightly ")

	back, err := s.RestoreTask(t.Context(), "nightly", "bob")
	check(t, err)
	equal(t, "id", back.ID, made.ID)
	equal(t, "revision", back.Revision, 3)
	stored, err := s.Task(t.Context(), "nightly")
	check(t, err)
	equal(t, "updated by", stored.UpdatedBy, "bob")
	if stored.LastRun == nil || stored.LastRun.ID != ran.Run.ID || !stored.DeletedAt.IsZero() || !reflect.DeepEqual(stored.Work, made.Work) {
		t.Fatalf("restored\n%+v\nof\n%+v", stored, made)
	}
	equal(t, "deleted", deleted(), "")

	// Two of a name: the one that was deleted last comes back; the other cannot while its name is taken.
	check(t, s.DeleteTask(t.Context(), made.ID, 0))
	other, _, err := s.CreateTask(t.Context(), task("nightly"), nil)
	check(t, err)
	_, err = s.RestoreTask(t.Context(), made.ID, "bob")
	wantCode(t, err, octopus.CodeConflict)
	check(t, s.DeleteTask(t.Context(), other.ID, 0))
	equal(t, "deleted", deleted(), "nightly nightly ")
	back, err = s.RestoreTask(t.Context(), "nightly", "bob")
	check(t, err)
	equal(t, "id", back.ID, other.ID)
}

func testTaskLists(t *testing.T, s *store.Store) {
	for i := range 7 {
		k := task(fmt.Sprintf("task %d", i))
		k.Enabled, k.Labels = i%2 == 0, map[string]string{"n": fmt.Sprint(i % 3)}
		_, _, err := s.CreateTask(t.Context(), k, nil)
		check(t, err)
	}
	yes := true
	for name, c := range map[string]struct {
		filter store.TaskFilter
		want   string
	}{
		"all":      {store.TaskFilter{}, "0123456"},
		"enabled":  {store.TaskFilter{Enabled: &yes}, "0246"},
		"text":     {store.TaskFilter{Text: "TASK 3"}, "3"},
		"selector": {store.TaskFilter{Selector: "n=0"}, "036"},
		"folder":   {store.TaskFilter{Folder: "other"}, ""},
		"plugin":   {store.TaskFilter{Plugin: "noop"}, "0123456"},
	} {
		got := ""
		for _, k := range all(t, 2, false, func(p store.Page) ([]octopus.Task, string, error) { return s.Tasks(t.Context(), c.filter, p) }) {
			got += k.Name[len("task "):]
		}
		equal(t, name, got, c.want)
	}
	k, err := s.Task(t.Context(), "task 0")
	check(t, err)
	for range 2 {
		made := NewRun(s, 1, nil)
		made.Run.TaskID = k.ID
		_, _, err := s.CreateRun(t.Context(), made)
		check(t, err)
		k, err = s.Task(t.Context(), "task 0")
		check(t, err)
		if k.LastRun == nil || k.LastRun.ID != made.Run.ID {
			t.Fatalf("last run %+v, want %s", k.LastRun, made.Run.ID)
		}
	}
}
