package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

func TestTasksRun(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	task, _, err := s.store.CreateTask(t.Context(), octopus.Task{
		ID: octopus.NewID(octopus.PrefixTask, time.Now()), Name: "ping", Type: octopus.TaskAdhoc, Enabled: true, Labels: map[string]string{"team": "a"},
		Work: octopus.Work{Plugin: "probe", Action: "once", Params: []byte(`{"url":"saved"}`)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := s.dispatch.RunTask(t.Context(), "ping", dispatch.TaskChanges{}, "ada", "ui", nil)
	if err != nil || run.TaskID != task.ID || run.TaskRevision != task.Revision || run.Labels["team"] != "a" {
		t.Fatalf("%+v %v", run, err)
	}
	o := expect[*wire.Offer](l)
	if o.TaskName != "ping" || string(o.Params) != `{"url":"saved"}` || !strings.Contains(string(o.User), "ada") {
		t.Fatalf("%+v", o)
	}
	if _, _, err := s.dispatch.RunTask(t.Context(), "ping", dispatch.TaskChanges{Params: []byte(`{"url":"other"}`)}, "ada", "ui", nil); err != nil {
		t.Fatal(err)
	}
	if o := expect[*wire.Offer](l); string(o.Params) != `{"url":"other"}` {
		t.Fatalf("%+v", o)
	}
	if _, err := s.store.UpdateTask(t.Context(), task.ID, 0, func(t *octopus.Task) error { t.Enabled = false; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.dispatch.RunTask(t.Context(), "ping", dispatch.TaskChanges{}, "ada", "ui", nil); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Fatal(err)
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	run := s.submit(nil)
	x := s.execution(run)
	begin := time.Now()
	if got, _, err := s.dispatch.WaitRun(t.Context(), run, 50*time.Millisecond); err != nil || got.Status() != octopus.RunQueued {
		t.Fatal(got.Status(), err)
	}
	if time.Since(begin) < 50*time.Millisecond {
		t.Error("it did not wait")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.dispatch.WaitExecution(ctx, x.ID, time.Minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ended := make(chan octopus.Execution)
	go func() {
		if err := s.dispatch.WaitExecution(t.Context(), x.ID, time.Minute); err != nil {
			t.Error(err)
		}
		x, err := s.store.Execution(t.Context(), x.ID)
		if err != nil {
			t.Error(err)
		}
		ended <- x
	}()
	if _, err := s.dispatch.Cancel(t.Context(), x.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if x := <-ended; x.Status != octopus.Cancelled {
		t.Errorf("%+v", x)
	}
	if got, _, err := s.dispatch.WaitRun(t.Context(), run, time.Minute); err != nil || got.Status() != octopus.RunCancelled {
		t.Error(got.Status(), err)
	}
	if _, _, err := s.dispatch.WaitRun(t.Context(), octopus.Run{ID: "run_unknown"}, time.Minute); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	prod := s.enrol("web-01")
	prod.labels = map[string]string{"env": "prod"}
	prod.slots = 0
	prod.connect()
	s.enrol("web-02")
	run := s.submit(func(s *dispatch.Submission) { s.Target.Selector = "env=prod" })
	s.eventually("each agent is explained", func() bool {
		e, err := s.dispatch.Explain(t.Context(), s.execution(run).ID)
		list := e.Agents
		return err == nil && len(list) == 2 && list[0].Reason == "web-01 is busy." && list[0].State == "busy" &&
			list[1].Reason == "It does not match env=prod." && list[1].State == "no_match" &&
			e.Summary == "The connected agent that matches env=prod is busy." && e.Next != nil
	})
}

func TestRevokedPluginsDoNotStart(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	run := s.submit(nil)
	if err := s.catalog.SetStatus(t.Context(), "probe", "1.0.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	s.enrol("web-01").connect()
	if x := s.ended(run); x.Status != octopus.Rejected || x.Reason.Code != "plugin_revoked" {
		t.Fatalf("%s %+v", x.Status, x.Reason)
	}
}

// TestRevokedBetweenOfferAndStart: the agent was offered the work, and takes it after its plugin was revoked.
func TestRevokedBetweenOfferAndStart(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	agent, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	offer := expect[*wire.Offer](agent)
	if err := s.catalog.SetStatus(t.Context(), "probe", "1.0.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	agent.send(&wire.Accept{Execution: offer.Execution, Fence: offer.Fence})
	if w := expect[*wire.Withdrawn](agent); w.Execution != offer.Execution {
		t.Errorf("withdrawn: %+v", w)
	}
	if x := s.ended(run); x.Status != octopus.Rejected || x.Reason.Code != "plugin_revoked" || x.Attempt != 0 {
		t.Fatalf("%s %+v, attempt %d", x.Status, x.Reason, x.Attempt)
	}
}
