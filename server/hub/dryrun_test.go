package hub_test

import (
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// A dry run is never offered to an agent that would take it for a real one; real runs are.
func TestOldAgentsGetNoDryRuns(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("old-01")
	l, _, err := m.dial(m.sign("GET", wire.PathConnect))
	if err != nil {
		t.Fatal(err)
	}
	l.send(&wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.VersionDryRun - 1, Facts: m.facts(), Free: 4, End: true})
	expect[*wire.Welcome](l)
	expect[*wire.HelloAnswer](l)
	dry := s.submit(func(w *dispatch.Submission) {
		w.DryRun, w.Target = true, octopus.Target{Mode: octopus.TargetAgent, Agent: "old-01"}
	})
	ended := s.ended(dry)
	if ended.Status != octopus.Rejected || ended.Reason == nil || !strings.Contains(ended.Reason.Message, "too old for dry runs") {
		t.Errorf("%s %+v", ended.Status, ended.Reason)
	}
	s.submit(nil)
	if o := expect[*wire.Offer](l); o.DryRun {
		t.Error("a real run became a dry one")
	}
}

// An agent that would show the real clock is not given work that asks for another; one that knows it gets both.
func TestOldAgentsGetNoFrozenClocks(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("old-01")
	l, _, err := m.dial(m.sign("GET", wire.PathConnect))
	if err != nil {
		t.Fatal(err)
	}
	l.send(&wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.VersionRepeat - 1, Facts: m.facts(), Free: 4, End: true})
	expect[*wire.Welcome](l)
	expect[*wire.HelloAnswer](l)
	for name, repeat := range map[string]octopus.Repeat{"clock": {Clock: time.Unix(0, 0).UTC()}, "seed": {Seed: new(uint64)}} {
		ended := s.ended(s.submit(func(w *dispatch.Submission) {
			w.Repeat, w.Target = repeat, octopus.Target{Mode: octopus.TargetAgent, Agent: "old-01"}
		}))
		if ended.Status != octopus.Rejected || ended.Reason == nil || !strings.Contains(ended.Reason.Message, "too old for frozen clocks and seeds") {
			t.Errorf("%s: %s %+v", name, ended.Status, ended.Reason)
		}
	}
	n, _ := s.enrol("new-01").connect()
	s.submit(func(w *dispatch.Submission) {
		w.Repeat = octopus.Repeat{Clock: time.Unix(0, 5).UTC(), Seed: new(uint64(7))}
		w.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: "new-01"}
	})
	if o := expect[*wire.Offer](n); o.ClockNS == nil || *o.ClockNS != 5 || o.Seed == nil || *o.Seed != 7 {
		t.Errorf("clock %v, seed %v", o.ClockNS, o.Seed)
	}
	s.submit(func(w *dispatch.Submission) { w.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: "new-01"} })
	if o := expect[*wire.Offer](n); o.ClockNS != nil || o.Seed != nil {
		t.Errorf("a plain run has clock %v and seed %v", o.ClockNS, o.Seed)
	}
}
