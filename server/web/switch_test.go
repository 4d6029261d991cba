package web

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// tick sends a form in which several boxes have the same name.
func (b *browser) tick(path string, enabled bool, plugins ...string) page {
	b.t.Helper()
	form := url.Values{"plugin": plugins, "enabled": {map[bool]string{true: "true", false: "false"}[enabled]}, "back": {"/plugins?text=z"}}
	r := b.form(path)
	body := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return b.do(r)
}

// undoOf is the address of the undo button.
func undoOf(p page) string {
	_, rest, _ := strings.Cut(p.body, `action="/plugins/restore`)
	query, _, found := strings.Cut(rest, `"`)
	if !found {
		return ""
	}
	return "/plugins/restore" + strings.ReplaceAll(query, "&amp;", "&")
}

func TestBulkSwitch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"zone", "zoo", "zip"} {
		s.publishAs(name, "1.0.0", octopus.RingAll, `{}`)
	}
	enabled := func() (out []string) {
		t.Helper()
		list, err := s.store.Plugins(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Enabled {
				out = append(out, p.Name)
			}
		}
		return out
	}
	admin := s.as(octopus.RoleAdmin)
	admin.get("/plugins").has(t, http.StatusOK, `value="zone" form="switch"`, `data-testid="bulk"`)
	if err := s.catalog.SetEnabled(t.Context(), "zip", false, "ada"); err != nil {
		t.Fatal(err)
	}
	p := admin.tick("/plugins/switch", false, "zone", "zoo", "zip", "nothing")
	p.has(t, http.StatusOK, "Disabled 2 plugins: new runs are refused. There is no plugin named &#34;nothing&#34;")
	if p.Request.URL.RequestURI() != "/plugins?text=z" {
		t.Errorf("it leads to %s", p.Request.URL)
	}
	if got := strings.Join(enabled(), ","); got != "all-kinds" {
		t.Errorf("enabled: %s", got)
	}
	for name, want := range map[string]int{"zone": 2, "zip": 2} { // published, and one line each that tells of it
		events, _, err := s.store.PluginEvents(t.Context(), name, store.Page{})
		if err != nil || len(events) != want || events[1].Kind != octopus.PluginSwitched || events[1].Message != "disabled" {
			t.Errorf("%s: %+v %v", name, events, err)
		}
	}
	undo := undoOf(p)
	if undo == "" {
		t.Fatalf("nothing takes it back: %s", p.body)
	}
	p = admin.post(undo)
	p.has(t, http.StatusOK, "Taken back.")
	if p.Request.URL.RequestURI() != "/plugins?text=z" {
		t.Errorf("undo leads to %s", p.Request.URL)
	}
	if got := strings.Join(enabled(), ","); got != "all-kinds,zone,zoo" { // zip was disabled before
		t.Errorf("enabled after it was taken back: %s", got)
	}
	admin.tick("/plugins/switch", true, "zone").has(t, http.StatusOK, "They were enabled already.")
	admin.tick("/plugins/switch", true).has(t, http.StatusOK, "Tick what is to be switched")
	admin.tick("/plugins/switch", true, "nothing").has(t, http.StatusOK, "s-bad", "There is no plugin named")
	operator := s.as(octopus.RoleOperator)
	operator.tick("/plugins/switch", false, "zone").has(t, http.StatusForbidden, "role admin")
	operator.post(undo).has(t, http.StatusForbidden, "role admin")
	admin.post("/plugins/restore?was=zone:revoked").has(t, http.StatusBadRequest, "takes nothing back")
}

func TestBulkSwitchOfVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0+b7", "1.3.0"} {
		s.publishAs("zone", version, octopus.RingAll, `{}`)
	}
	status := func() string {
		t.Helper()
		p, err := s.store.Plugin(t.Context(), "zone")
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, v := range p.Versions {
			out = append(out, string(v.Status))
		}
		return strings.Join(out, " ") // the newest first
	}
	for version, to := range map[string]octopus.VersionStatus{"1.0.0": octopus.VersionDeprecated, "1.3.0": octopus.VersionRevoked} {
		if err := s.catalog.SetStatus(t.Context(), "zone", version, to, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	admin := s.as(octopus.RoleAdmin)
	p := admin.get("/plugins/zone")
	p.has(t, http.StatusOK, `value="zone@1.0.0" form="switch"`)
	if strings.Contains(p.body, `value="zone@1.3.0"`) {
		t.Error("a version that is revoked for good can be ticked")
	}
	p = admin.tick("/plugins/switch", false, "zone@1.0.0", "zone@1.2.0+b7")
	p.has(t, http.StatusOK, "Disabled 2 versions: new runs are refused.")
	if got := status(); got != "revoked disabled published disabled" {
		t.Errorf("disabled: %s", got)
	}
	undo := undoOf(p)
	admin.tick("/plugins/switch", true, "zone@1.3.0", "zone@9.9.9").has(t, http.StatusOK, "was revoked for good", "zone has no version 9.9.9")
	admin.post(undo).has(t, http.StatusOK, "Taken back.")
	if got := status(); got != "revoked published published deprecated" {
		t.Errorf("taken back: %s", got)
	}
}

// TestUndoThatIsTooLong: more than a cookie holds is switched all the same, without the button.
func TestUndoThatIsTooLong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var names []string
	for i := range 60 {
		name := "plugin-with-a-rather-long-name-" + padded(int64(i))
		s.publishAs(name, "1.0.0", octopus.RingAll, `{}`)
		names = append(names, name)
	}
	admin := s.as(octopus.RoleAdmin)
	p := admin.tick("/plugins/switch", false, names...)
	p.has(t, http.StatusOK, "Disabled 60 plugins")
	if undo := undoOf(p); undo != "" {
		t.Errorf("the cookie holds %d bytes", len(undo))
	}
	p = admin.tick("/plugins/switch", true, names[:30]...)
	p.has(t, http.StatusOK, "Enabled 30 plugins")
	if undoOf(p) == "" {
		t.Error("nothing takes back 30")
	}
}
