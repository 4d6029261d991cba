package api_test

import (
	"testing"
	"time"

	"octopus/sdk"
	"octopus/server/store/storetest"
)

// TestOnPostgres walks through the API on the other database: what differs there are errors and text.
func TestOnPostgres(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, storetest.Postgres(t))
	w.agent("web-01", 2)
	task, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "Größe ✓", Labels: map[string]string{"a": "b"}, Work: greet(map[string]any{"lines": 2}).Work})
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.client.RunTask(t.Context(), task.Name, sdk.RunTask{}, sdk.WithWait(time.Minute), sdk.WithIdempotencyKey("k"))
	if err != nil || run.Status != "succeeded" {
		t.Fatalf("%v %+v", err, run)
	}
	again, err := w.client.RunTask(t.Context(), task.Name, sdk.RunTask{}, sdk.WithIdempotencyKey("k"))
	if err != nil || again.ID != run.ID {
		t.Errorf("%v %+v", err, again)
	}
	if lines, err := w.client.Logs(t.Context(), run.Executions[0].ID, 0); err != nil || len(lines) != 4 {
		t.Errorf("%v %+v", err, lines)
	}
	if _, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: task.Name, Work: task.Work}); !sdk.IsConflict(err) {
		t.Errorf("the name twice: %v", err)
	}
	for _, path := range []string{"/tasks/a%00b", "/tasks?q=%ff", "/tasks/%ff"} {
		if a := w.raw("GET", "/api/v1"+path, ""); a.StatusCode != 400 {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	for _, name := range []string{"ada", "nobody\x00", "\xff"} {
		_, err := w.auth.Login(t.Context(), name, "wrong", "192.0.2.1", "agent \xff\x00")
		if err == nil || err.Error() != "The user name or the password is wrong." {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := w.auth.CreateUser(t.Context(), w.admin, newUser("bob", "user")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth.Login(t.Context(), "bob", "correct horse", "192.0.2.1", "agent \xff\x00"); err != nil {
		t.Errorf("%v", err)
	}
	if page, err := w.client.Executions(t.Context(), sdk.ExecutionFilter{Text: "%_'\"", Status: []string{"succeeded"}}); err != nil || len(page.Items) != 0 {
		t.Errorf("%v %+v", err, page)
	}
}
