package web

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store/storetest"
)

// TestPluginPageMoves: whatever is decided about a plugin reaches who looks at it.
func TestPluginPageMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{"env":["TZ"]}`)
	b := s.as(octopus.RoleViewer)
	p := b.get("/plugins/zone")
	page := b.follow(eventsOf(t, p), "")
	page.wait("event: beat")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	s.grantTo("zone", "1.0.0", "ada")
	page.wait(`hx-target="#plugin-may"`, "s-ok")
	s.publishAs("zone", "1.1.0", octopus.RingCanary, `{}`)
	page.wait(`hx-target="#plugin-head"`, "1.1.0 is newer")
	page.wait(`hx-target="#plugin-versions"`, "canary, 5 %")
	do(s.catalog.Hold(ctx, "zone", "1.1.0", "It fails.", "octopus"))
	page.wait(`hx-target="#plugin-versions"`, "1.1.0 is held. It fails.")
	do(s.catalog.Resume(ctx, "zone", "1.1.0", "ada"))
	page.wait(`hx-target="#plugin-history"`, "resumed in canary")
	do(s.catalog.SetEnabled(ctx, "zone", false, "ada"))
	page.wait(`hx-target="#plugin-head"`, `data-status="disabled"`)
	do(s.catalog.SetEnabled(ctx, "zone", true, "ada"))
	page.wait(`hx-target="#plugin-history"`, "the whole plugin enabled")
	do(s.catalog.SetStatus(ctx, "zone", "1.0.0", octopus.VersionRevoked, "ada"))
	page.wait(`hx-target="#plugin-head"`, `data-status="revoked"`)

	// Another plugin is none of its business.
	s.publishAs("other", "1.0.0", octopus.RingAll, `{}`)
	do(s.store.SetPluginConfig(ctx, octopus.PluginConfig{Plugin: "zone", Config: json.RawMessage(`{}`), UpdatedBy: "eve"}, "changed: region"))
	if line := page.wait(`hx-target="#plugin-history"`, "changed: region"); strings.Contains(line, "other") {
		t.Error(line)
	}
}

// TestPluginPageWithoutHints: the poll finds what no hint told.
func TestPluginPageWithoutHints(t *testing.T) {
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
	sub, ok := subscribe(map[string][]string{"topics": {"plugin:zone@1.0.0"}})
	if !ok {
		t.Fatal("nothing to follow")
	}
	c := deaf.live.join(sub, deaf.live.cursor())
	if err := s.catalog.SetStatus(t.Context(), "zone", "1.0.0", octopus.VersionDeprecated, "ada"); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case batch := <-c.queue:
			if strings.Contains(string(batch), "marked as deprecated") {
				return
			}
		case <-time.After(deadline):
			t.Fatal("the poll found nothing")
		}
	}
}

func TestAgentsOnThePluginsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{}`)
	b := s.as(octopus.RoleViewer)
	if got := b.get("/plugins/zone").text("version-agents"); !strings.Contains(got, "No agent has fetched this version yet.") {
		t.Errorf("it says %q", got)
	}
	v, err := s.store.Version(t.Context(), "zone", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range shownAgents + 1 {
		a, err := storetest.Agent(s.store, "web-"+padded(int64(i)))
		if err == nil {
			err = s.store.NoteFetch(t.Context(), v.Digest, a.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got := b.get("/plugins/zone").text("version-agents")
	if !strings.Contains(got, "web-"+padded(shownAgents)+" fetched it") || strings.Contains(got, "web-"+padded(0)) || !strings.Contains(got, "octopus plugins agents zone --version 1.0.0") {
		t.Errorf("it says %q", got)
	}
}
