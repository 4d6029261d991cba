package hub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// asking is a submission that asks for a level of sandbox.
func asking(level octopus.SandboxLevel, target octopus.Target) func(*dispatch.Submission) {
	return func(d *dispatch.Submission) { d.Sandbox, d.Target, d.MaxAttempts = level, target, 2 }
}

// TestSandboxIsAskedFor: work that asks for a sandbox waits for an agent that has it, says so, hides nothing that is
// behind it, and comes back to such an agent when it is tried again.
func TestSandboxIsAskedFor(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	weak := s.enrol("web-01")
	weak.sandbox = octopus.SandboxBasic
	w, _ := weak.connect()
	anyone := s.submit(asking(octopus.SandboxFiltered, octopus.Target{}))
	bound := s.submit(asking(octopus.SandboxFull, octopus.Target{Mode: octopus.TargetAgent, Agent: "web-01"}))
	for run, sentence := range map[string]string{
		s.execution(anyone).ID: "web-01's sandbox is basic, and filtered is asked for.",
		s.execution(bound).ID:  "web-01's sandbox is basic, and full is asked for.",
	} {
		s.eventually(sentence, func() bool {
			x, err := s.store.Execution(t.Context(), run)
			return err == nil && x.Waiting != nil && x.Waiting.Code == "sandbox" && x.Waiting.Message == sentence
		})
		e, err := s.dispatch.Explain(t.Context(), run)
		if err != nil || len(e.Agents) != 1 || e.Agents[0].State != "sandbox" || e.Agents[0].Reason != sentence {
			t.Errorf("explained as %+v, %v", e.Agents, err)
		}
	}
	s.submit(nil)
	l := w.take(expect[*wire.Offer](w))
	w.send(w.succeed(l, 1))

	strong := s.enrol("web-02")
	strong.sandbox = octopus.SandboxFiltered
	q, _ := strong.connect()
	o := expect[*wire.Offer](q)
	if o.Execution != s.execution(anyone).ID || o.Sandbox != octopus.SandboxFiltered {
		t.Fatalf("%+v", o)
	}
	failed := q.succeed(q.take(o), o.OfferSeq)
	failed.Outcome, failed.MayRetry, failed.Response = octopus.Failed, true, []byte(`{"status_code":500,"message":"no"}`)
	q.send(failed)
	if again := expect[*wire.Offer](q); again.Execution != o.Execution || again.Attempt != 2 {
		t.Fatalf("%+v", again)
	}

	weak.sandbox = octopus.SandboxFull // the machine got a better kernel
	b, _ := weak.connect()
	if o := expect[*wire.Offer](b); o.Execution != s.execution(bound).ID {
		t.Fatalf("%+v", o)
	}
}

// TestSandboxOfAll: a run on all agents leaves out those that do not reach what it asks for, with the reason.
func TestSandboxOfAll(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	weak, strong := s.enrol("web-01"), s.enrol("web-02")
	weak.sandbox, strong.sandbox = octopus.SandboxProcess, octopus.SandboxFull
	weak.connect()
	all := octopus.Target{Mode: octopus.TargetAll}
	_, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{By: "ada", Work: octopus.Work{
		Plugin: "probe", Action: "once", Target: all, Sandbox: octopus.SandboxFull}})
	want := "None of the 2 agents has a full sandbox. web-01's sandbox is process, and full is asked for."
	if octopus.CodeOf(err) != octopus.CodeInvalid || octopus.Sentence(err) != want {
		t.Fatal(err)
	}
	q, _ := strong.connect()
	run := s.submit(asking(octopus.SandboxFull, all))
	if o := expect[*wire.Offer](q); o.Run != run.ID {
		t.Fatalf("%+v", o)
	}
	got, err := s.store.Run(t.Context(), run.ID)
	if err != nil || got.Total != 1 || len(got.LeftOut) != 1 || got.LeftOut[0].Reason != "Its sandbox is process, and full is asked for." {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestSandboxThatIsNone(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	for field, work := range map[string]octopus.Work{
		"/sandbox":         {Sandbox: "fullest"},
		"/clock":           {Repeat: octopus.Repeat{Clock: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"/target/selector": {Sandbox: octopus.SandboxBasic, Target: octopus.Target{Selector: strings.Repeat("a", 250) + "=" + strings.Repeat("b", octopus.MaxSelector-260)}},
	} {
		work.Plugin, work.Action = "probe", "once"
		_, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{By: "ada", Work: work})
		if e, ok := errors.AsType[*octopus.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
