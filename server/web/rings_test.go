package web

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

// publishAs puts a version of a plugin that asks for nothing into a ring.
func (s *site) publishAs(name, version string, ring octopus.Ring, capabilities string) {
	s.t.Helper()
	if _, err := s.catalog.UploadInto(s.t.Context(), packedAs(s.t, name, version, capabilities), ring, "ada"); err != nil {
		s.t.Fatal(err)
	}
}

// packedAs is a module that asks for capabilities.
func packedAs(t *testing.T, name, version, capabilities string) []byte {
	t.Helper()
	module, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := wasmplugins.Pack(module, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"`+name+`","version":"`+version+`",
		"actions":[{"name":"run"}],"capabilities":`+capabilities+`}`))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// text is what a person reads of a part of a page, from a mark to the end of its section.
func (p page) text(mark string) string {
	_, rest, found := strings.Cut(p.body, `data-testid="`+mark+`"`)
	if !found {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "</section>")
	_, rest, _ = strings.Cut(rest, ">")
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(rest, " ")), " ")
}

func TestRingsOnThePluginsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("rings", "1.0.0", octopus.RingAll, `{}`)
	s.publishAs("rings", "1.1.0", octopus.RingCanary, `{}`)
	admin := s.as(octopus.RoleAdmin)
	p := admin.get("/plugins/rings")
	for _, want := range []string{"Runs get 1.1.0 (5 %), 1.0.0 (95 %)", "canary, 5 % on trial", "Promote to early", "Hold", "Roll back to 1.0.0", "once 20 executions of each have ended"} {
		if got := p.text("versions"); !strings.Contains(got, want) {
			t.Errorf("the page does not say %q: %s", want, got)
		}
	}
	if p = admin.post("/plugins/rings/ring", "version", "1.1.0", "ring", "early"); !strings.Contains(p.text("versions"), "Runs get 1.1.0 (25 %), 1.0.0 (75 %)") || !strings.Contains(p.body, "Promote to all") {
		t.Errorf("promoted: %s", p.text("versions"))
	}
	p = admin.post("/plugins/rings/rollback", "version", "1.0.0")
	if got := p.text("versions"); !strings.Contains(got, "Runs get 1.0.0 1.1.0 is held. Rolled back to 1.0.0 by the-admin. Resume") {
		t.Errorf("rolled back: %s", got)
	}
	const undo = "/plugins/rings/resume?version=1.1.0"
	if !strings.Contains(p.body, `action="`+undo+`"`) {
		t.Error("nothing takes it back")
	}
	if p = admin.post(undo); !strings.Contains(p.text("versions"), "Runs get 1.1.0 (25 %), 1.0.0 (75 %)") || strings.Contains(p.body, `data-testid="held"`) {
		t.Errorf("taken back: %s", p.text("versions"))
	}
	if got := p.text("history"); !strings.Contains(got, "resumed in early") || !strings.Contains(got, "moved from canary to early") || !strings.Contains(got, "held. Rolled back to 1.0.0 by the-admin.") || !strings.Contains(got, "published into the ring canary") {
		t.Errorf("history: %s", got)
	}
	if p = admin.post("/plugins/rings/rollback", "version", "9.9.9"); !strings.Contains(p.body, "rings has no version 9.9.9") {
		t.Errorf("a version that is not there: %d", p.StatusCode)
	}
	operator := s.as(octopus.RoleOperator)
	for _, verb := range []string{"ring", "hold", "resume", "rollback"} {
		if p := operator.post("/plugins/rings/"+verb, "version", "1.1.0", "ring", "all"); p.StatusCode != 403 {
			t.Errorf("an operator may %s: %d", verb, p.StatusCode)
		}
	}
}

func TestVersionWithoutItsGrantSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("rings", "1.0.0", octopus.RingAll, `{}`)
	s.publishAs("rings", "1.1.0", octopus.RingAll, `{"env":["TZ"]}`)
	p := s.as(octopus.RoleAdmin).get("/plugins/rings")
	if got := p.text("versions"); !strings.Contains(got, "Runs get 1.0.0 1.1.0 lacks its grant: no ring chooses it while another version can run.") {
		t.Errorf("it says %s", got)
	}
}

func TestFormsOfferVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publishAs("rings", "1.0.0", octopus.RingAll, `{}`)
	s.publishAs("rings", "1.1.0", octopus.RingCanary, `{}`)
	b := s.as(octopus.RoleOperator)
	for path, wants := range map[string][]string{
		"/run?plugin=rings": {`<option value="" selected>`, `<option value="^1">The newest 1.x`, `<option value="~1.1">`, `<option value="canary">`, `<option value="1.0.0">Exactly 1.0.0`,
			"It would run 1.0.0 (95 % of the runs) or 1.1.0 (5 % of the runs) now."},
		"/run?plugin=rings&version=canary":          {`<option value="canary" selected>`, "It would run 1.1.0 now."},
		"/tasks/new?plugin=rings&version=~1.0":      {`<option value="~1.0" selected>`, "It would run 1.0.0 now."},
		"/tasks/new?plugin=rings&version=<1.0.5":    {`<option value="&lt;1.0.5" selected>`},
		"/parts/version?plugin=rings&version=early": {"It would run 1.0.0 now."},
		"/parts/version?plugin=rings&version=~2":    {"rings has no version ~2; there is: 1.1.0, 1.0.0."},
	} {
		p := b.get(path)
		for _, want := range wants {
			if p.StatusCode != 200 || !strings.Contains(p.body, want) {
				t.Errorf("%s: %d, and no %q", path, p.StatusCode, want)
			}
		}
	}
	p := b.post("/tasks", "plugin", "rings", "action", "run", "version", "canary", "name", "early-bird", "target", "any")
	if p.StatusCode != 200 {
		t.Fatalf("saved: %d", p.StatusCode)
	}
	if task, err := s.store.Task(t.Context(), "early-bird"); err != nil || task.Version != "canary" {
		t.Errorf("task %+v, %v", task.Version, err)
	}
}
