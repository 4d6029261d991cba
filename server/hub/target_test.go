package hub_test

import (
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/dispatch"
)

func TestAnyTwoAreDifferentAgents(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	a, _ := s.enrol("a").connect()
	b, _ := s.enrol("b").connect()
	run := s.submit(func(s *dispatch.Submission) { s.Target.Count = 3 })
	if x, y := expect[*wire.Offer](a), expect[*wire.Offer](b); x.Execution == y.Execution {
		t.Fatal("one execution was offered twice")
	}
	var waiting int
	for _, x := range s.executions(run) {
		if x.Status == octopus.Queued {
			waiting++
		}
	}
	if waiting != 1 {
		t.Fatalf("%d wait, not the third alone", waiting)
	}
	c, _ := s.enrol("c").connect()
	expect[*wire.Offer](c)
}

func TestAllAndSelectors(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	prod, test := s.enrol("web-01"), s.enrol("web-02")
	prod.labels, test.labels = map[string]string{"env": "prod"}, map[string]string{"env": "test"}
	p, _ := prod.connect()
	q, _ := test.connect()
	run := s.submit(func(s *dispatch.Submission) {
		s.Target = octopus.Target{Mode: octopus.TargetAll, Selector: "env=prod"}
	})
	if o := expect[*wire.Offer](p); o.Execution != s.execution(run).ID {
		t.Fatalf("%+v", o)
	}
	s.setAgent(prod.id, func(a *octopus.Agent) { a.Enabled = false })
	run = s.submit(func(s *dispatch.Submission) { s.Target = octopus.Target{Mode: octopus.TargetAll} })
	if got, err := s.store.Run(t.Context(), run.ID); err != nil || len(got.LeftOut) != 1 || got.LeftOut[0].AgentName != "web-01" || got.Total != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	expect[*wire.Offer](q)
	_, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{By: "ada", Work: octopus.Work{
		Plugin: "probe", Action: "once", Target: octopus.Target{Mode: octopus.TargetAll, Selector: "env=moon"}}})
	if octopus.CodeOf(err) != octopus.CodeInvalid || octopus.Sentence(err) != "No agent matches env=moon. Add one or change the target." {
		t.Fatal(err)
	}
}

func (s *server) setAgent(id string, change func(*octopus.Agent)) {
	s.t.Helper()
	if _, err := s.store.UpdateAgent(s.t.Context(), id, func(a *octopus.Agent) error { change(a); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

func TestWhyItWaits(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	waits := func(run octopus.Run, code, sentence string) {
		t.Helper()
		s.eventually(sentence, func() bool {
			w := s.execution(run).Waiting
			return w != nil && w.Code == code && w.Message == sentence
		})
	}
	nobody := s.submit(nil)
	waits(nobody, "no_agent", "There is no agent yet. Add one with octopus agents tokens create.")
	prod := s.submit(func(s *dispatch.Submission) { s.Target.Selector = "env=prod" })
	waits(prod, "no_agent", "No agent matches env=prod. Add one or change the target.")

	m := s.enrol("web-01")
	m.slots = 1
	bound := s.submit(func(s *dispatch.Submission) {
		s.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: "web-01"}
	})
	waits(bound, "offline", "web-01 is offline.")
	waits(nobody, "offline", "No agent is connected.")

	l, _ := m.connect()
	o := expect[*wire.Offer](l) // one of the two
	l.take(o)
	for _, run := range []octopus.Run{nobody, bound} {
		if s.execution(run).Status == octopus.Queued {
			s.eventually("it waits for the busy one", func() bool { return s.execution(run).Waiting.Code == "busy" })
		}
	}
	s.setAgent(m.id, func(a *octopus.Agent) { a.Drained = true })
	if e := expect[*wire.Settings](l); !e.Drained {
		t.Fatalf("%+v", e)
	}
	for _, run := range []octopus.Run{nobody, bound} {
		if s.execution(run).Status == octopus.Queued {
			s.eventually("it waits for the drained one", func() bool { return s.execution(run).Waiting.Code == "drained" })
		}
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	run := s.submit(func(s *dispatch.Submission) { s.WaitTTL = 100 * time.Millisecond })
	x := s.ended(run)
	if x.Status != octopus.Expired || !strings.HasPrefix(x.Reason.Message, "No agent took it within 100 ms.") {
		t.Fatalf("%s %+v", x.Status, x.Reason)
	}
}

func TestBacklogIsWorkedOff(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	m.slots = 3
	var runs []octopus.Run
	for range 40 {
		runs = append(runs, s.submit(nil))
	}
	l, _ := m.connect()
	done := make(chan struct{})
	go func() { defer close(done); l.work() }()
	for _, run := range runs {
		if x := s.ended(run); x.Status != octopus.Succeeded {
			t.Fatalf("%+v", x)
		}
	}
	l.ws.CloseNow()
	<-done
}

func TestFanOutBeyondOneTransaction(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	run := s.submit(func(s *dispatch.Submission) { s.Target.Count = 1100 })
	s.eventually("all are inserted", func() bool {
		got, err := s.store.Run(t.Context(), run.ID)
		return err == nil && got.Counts.Total() == 1100
	})
	if run, err := s.dispatch.CancelRun(t.Context(), run.ID, "ada"); err != nil || run.Status() != octopus.RunCancelled {
		t.Fatal(run.Counts, err)
	}
}

func TestRefusedSubmissions(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := manifest("greedy")
	m.Capabilities = spec.Capabilities{HTTP: &spec.HTTP{Hosts: []string{"*"}, Reason: "to look around"}}
	v := s.publish(m)
	if err := s.catalog.Revoke(t.Context(), v.Digest, "ada"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		work     octopus.Work
		code     octopus.Code
		contains string
	}{
		"unknown plugin":  {octopus.Work{Plugin: "nothing", Action: "once"}, octopus.CodeNotFound, "nothing"},
		"unknown action":  {octopus.Work{Plugin: "probe", Action: "dance"}, octopus.CodeInvalid, "dance"},
		"wrong params":    {octopus.Work{Plugin: "probe", Action: "once", Params: []byte(`{"url":5}`)}, octopus.CodeInvalid, "url"},
		"not granted":     {octopus.Work{Plugin: "greedy", Action: "once"}, octopus.CodeInvalid, "greedy"},
		"not idempotent":  {octopus.Work{Plugin: "probe", Action: "once", OnLost: octopus.OnLostRetry}, octopus.CodeInvalid, "idempotent"},
		"too long":        {octopus.Work{Plugin: "probe", Action: "once", Timeout: 1000 * time.Hour}, octopus.CodeInvalid, "limit"},
		"bad selector":    {octopus.Work{Plugin: "probe", Action: "once", Target: octopus.Target{Selector: "a=(("}}, octopus.CodeInvalid, "selector"},
		"no such agent":   {octopus.Work{Plugin: "probe", Action: "once", Target: octopus.Target{Mode: "agent", Agent: "x"}}, octopus.CodeNotFound, "no agent called x"},
		"no such mode":    {octopus.Work{Plugin: "probe", Action: "once", Target: octopus.Target{Mode: "some"}}, octopus.CodeInvalid, "mode"},
		"many attempts":   {octopus.Work{Plugin: "probe", Action: "once", MaxAttempts: 1000}, octopus.CodeInvalid, "attempts"},
		"unnamed on_lost": {octopus.Work{Plugin: "probe", Action: "once", OnLost: "maybe"}, octopus.CodeInvalid, "on_lost"},
	} {
		_, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{Work: c.work, By: "ada"})
		if octopus.CodeOf(err) != c.code || !strings.Contains(octopus.Sentence(err), c.contains) {
			t.Errorf("%s: %s %v", name, octopus.CodeOf(err), err)
		}
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	a, _ := s.enrol("a").connect()
	b, _ := s.enrol("b").connect()
	run := s.submit(func(s *dispatch.Submission) { s.Target.Mode = octopus.TargetAll })
	for _, l := range []*link{a, b} {
		o := expect[*wire.Offer](l)
		r := l.succeed(l.take(o), o.OfferSeq)
		if l == b {
			r.Outcome, r.Response = octopus.Failed, []byte(`{"status_code":404,"message":"not there"}`)
		}
		l.send(r)
	}
	run, _, err := s.dispatch.WaitRun(t.Context(), run, patience)
	if err != nil || run.Status() != octopus.RunFailed {
		t.Fatal(run.Counts, err)
	}
	again, _, err := s.dispatch.RetryRun(t.Context(), run.ID, true, "ada", "api", nil)
	if err != nil || again.RetryOf != run.ID || again.Total != 1 {
		t.Fatalf("%+v %v", again, err)
	}
	o := expect[*wire.Offer](b)
	b.send(b.succeed(b.take(o), o.OfferSeq))
	x := s.ended(again)
	if x.AgentName != "b" || x.Status != octopus.Succeeded {
		t.Fatalf("%+v", x)
	}
	if _, _, err := s.dispatch.RetryRun(t.Context(), again.ID, true, "ada", "api", nil); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Fatal(err)
	}
	one, _, err := s.dispatch.Retry(t.Context(), x.ID, "ada", "api", nil)
	if err != nil || s.execution(one).BoundAgent != x.AgentID {
		t.Fatal(err)
	}
	all, _, err := s.dispatch.RetryRun(t.Context(), run.ID, false, "ada", "api", nil)
	if err != nil || all.Total != 2 {
		t.Fatalf("%+v %v", all, err)
	}
}
