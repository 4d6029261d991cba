package hub_test

import (
	"strings"
	"testing"

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
