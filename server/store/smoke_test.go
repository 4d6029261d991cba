package store_test

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestSmokePG(t *testing.T) { smoke(t, storetest.OpenURL(t, storetest.Postgres(t))) }
func TestSmoke(t *testing.T) { smoke(t, storetest.Open(t)) }
func smoke(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i := range 120 {
		n := offeredRun(s.Now(), i%7)
		if _, _, err := s.CreateRun(ctx, n); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(ctx, n.Executions[0].ID, accept); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if _, err := s.Step(ctx, n.Executions[0].ID, succeed); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range []store.ExecutionFilter{{}, {Statuses: []octopus.Status{octopus.Running}}, {Text: "web-03"}, {Plugin: "noop", CreatedSince: time.Now().Add(-time.Hour)}, {AgentID: "agt_1", Statuses: []octopus.Status{octopus.Succeeded, octopus.Running}}, {FinishedSince: time.Now().Add(-time.Hour)}} {
		n, pages := 0, 0
		for cursor := ""; ; {
			items, next, err := s.Executions(ctx, f, store.Page{Cursor: cursor, Descending: true, Limit: 7})
			if err != nil {
				t.Fatal(err)
			}
			n += len(items)
			pages++
			if cursor = next; next == "" {
				break
			}
		}
		t.Log(f, n, pages)
	}
	o, err := s.Overview(ctx)
	t.Log(o.ByStatus24h, o.Queued, o.Running, o.Plugins, err)
	runs, next, err := s.Runs(ctx, store.RunFilter{Statuses: []octopus.RunStatus{octopus.RunRunning}}, store.Page{})
	t.Log(len(runs), next, err, runs[0].Status(), runs[0].Counts)
	_, err = s.Step(ctx, "exe_x", succeed)
	t.Log(err)
	h, err := s.Health(ctx)
	t.Log(h, err)
	p, err := s.Plugins(ctx)
	t.Log(p, err)
	_, _, err = s.Agents(ctx, store.AgentFilter{Text: "x"}, store.Page{})
	t.Log(err)
	_, _, err = s.Tasks(ctx, store.TaskFilter{Text: "x"}, store.Page{})
	t.Log(err)
}
