package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// TestPluginListMoves: what is decided about plugins reaches who has their list open, and only plugins that the
// search of the list finds.
func TestPluginListMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{"env":["TZ"]}`)
	b := s.as(octopus.RoleViewer)
	list := b.follow(eventsOf(t, b.get("/plugins?text=zone")), "")
	list.wait("event: beat")
	s.grantTo("zone", "1.0.0", "ada")
	list.wait(`hx-target="#plugins" hx-swap="upsert"`, `id="plugin-zone"`, "s-ok")
	if err := s.catalog.SetEnabled(t.Context(), "zone", false, "ada"); err != nil {
		t.Fatal(err)
	}
	list.wait(`id="plugin-zone"`, `data-status="disabled"`)
	s.publishAs("other", "1.0.0", octopus.RingAll, `{}`)
	s.publishAs("zones", "1.0.0", octopus.RingAll, `{}`)
	if got := list.wait(`id="plugin-zones"`); strings.Contains(got, `id="plugin-other"`) {
		t.Error("the list shows what its search does not find")
	}
}

// TestPluginListWithoutHints: the poll finds what no hint told.
func TestPluginListWithoutHints(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{}`)
	deaf := New(s.web.cfg)
	deaf.cfg.Bus = bus.NewLocal() // nobody publishes here
	deaf.live.web = deaf
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- deaf.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	sub, ok := subscribe(map[string][]string{"topics": {topicPlugins}})
	if !ok {
		t.Fatal("nothing to follow")
	}
	c := deaf.live.join(sub, deaf.live.cursor())
	if err := s.catalog.SetEnabled(t.Context(), "zone", false, "ada"); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case batch := <-c.queue:
			if got := string(batch); strings.Contains(got, `id="plugin-zone"`) && strings.Contains(got, `data-status="disabled"`) {
				return
			}
		case <-time.After(deadline):
			t.Fatal("the poll found nothing")
		}
	}
}

// TestUploadComparesWithWhatRunsGet: a newer version on trial is not what the difference is about, in the upload as in
// the review.
func TestUploadComparesWithWhatRunsGet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{}`)
	s.publishAs("zone", "1.1.0", octopus.RingCanary, `{"env":["TZ"]}`)
	s.grantTo("zone", "1.1.0", "ada")
	p := s.as(octopus.RoleAdmin).send(packedAs(t, "zone", "1.2.0", `{"env":["TZ"]}`))
	if said := p.text("compared"); !strings.Contains(said, "Runs get 1.0.0 now. This one asks for 1 thing that it was not granted.") {
		t.Errorf("the upload says %q", said)
	}
}

func TestMatchingAsksTheSandbox(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	agents := make([]octopus.Agent, 3)
	for i, level := range []string{"full", "process", ""} {
		agents[i].Facts.Sandbox.Level, agents[i].Enabled = level, true
	}
	for asked, want := range map[octopus.SandboxLevel]string{
		"":        "3 agents match, 0 online.",
		"process": "2 agents match, 0 online. 1 agent more would match, but its sandbox is weaker than process.",
		"full":    "1 agent matches, 0 online. 2 agents more would match, but their sandbox is weaker than full.",
	} {
		if got := s.web.matching(agents, "", asked); got != want {
			t.Errorf("%q: %s", asked, got)
		}
	}
	if got := s.web.matching(agents[2:], "", "basic"); got != "No agent matches yet. The work waits for one, for an hour. 1 agent more would match, but its sandbox is weaker than basic." {
		t.Error(got)
	}
	if got := s.web.matching(agents, "", "odd"); strings.Contains(got, "match") {
		t.Error(got)
	}
}
