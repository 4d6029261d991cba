package web

import (
	"net/http"
	"strings"
	"testing"

	"octopus/internal/octopus"
)

// grantTo grants a version all that it asks for, as somebody.
func (s *site) grantTo(name, version, by string) octopus.PluginVersion {
	s.t.Helper()
	v, err := s.store.Version(s.t.Context(), name, version)
	if err == nil {
		err = s.catalog.GrantAll(s.t.Context(), v.Digest, by)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func TestGrantsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.as(octopus.RoleViewer).get("/grants").has(t, http.StatusOK, "Nothing was granted")
	s.publishAs("zone", "1.0.0", octopus.RingAll, `{"env":["TZ"]}`)
	s.publishAs("zone", "1.1.0+b2", octopus.RingAll, `{"env":["TZ","LANG"],"kv":{}}`)
	old, now := s.grantTo("zone", "1.0.0", "bob"), s.grantTo("zone", "1.1.0+b2", "ada")
	s.grant()

	admin := s.as(octopus.RoleAdmin)
	p := admin.get("/grants")
	p.has(t, http.StatusOK, "http to any host", "the key-value store", old.Digest, now.Digest, `href="/plugins/zone?version=1.1.0%2Bb2"`, "octopus plugins grants")
	for _, want := range []string{"zone 1.0.0", "older version", "runs only where it is named exactly", "in force", "ada", "bob"} {
		if got := p.text("grants"); !strings.Contains(got, want) {
			t.Errorf("the page lacks %q: %s", want, got)
		}
	}
	for query, want := range map[string]string{
		"plugin=zone": "zone 1.1.0+b2,zone 1.0.0", "capability=http": "all-kinds 1.0.0", "capability=kv": "zone 1.1.0+b2", "by=bob": "zone 1.0.0",
		"state=older": "zone 1.0.0", "state=in_force&plugin=zone": "zone 1.1.0+b2", "state=revoked": "", "text=LANG": "zone 1.1.0+b2", "text=nothing": "",
	} {
		if got := rowsOf(admin.get("/grants?" + query)); got != want {
			t.Errorf("%s lists %q, want %q", query, got, want)
		}
	}
	admin.get("/grants?text=nothing").has(t, http.StatusOK, "No grant matches")
	admin.get("/grants?cursor=nonsense").has(t, http.StatusUnprocessableEntity, "This cursor is not one of ours")

	// Revoked from there, and back to the list as it was.
	operator := s.as(octopus.RoleOperator)
	operator.get("/grants").has(t, http.StatusOK, "zone")
	operator.post("/grants/"+now.Digest+"/revoke").has(t, http.StatusForbidden, "role admin")
	p = admin.post("/grants/"+now.Digest+"/revoke", "back", "/grants?plugin=zone")
	p.has(t, http.StatusOK, "Revoked what zone 1.1.0+b2 was granted")
	if p.Request.URL.RequestURI() != "/grants?plugin=zone" {
		t.Errorf("it leads to %s", p.Request.URL)
	}
	// What runs get then is the version before.
	if got := rowsOf(admin.get("/grants?state=revoked")); got != "zone 1.1.0+b2" {
		t.Errorf("revoked: %q", got)
	}
	if got := rowsOf(admin.get("/grants?state=in_force&plugin=zone")); got != "zone 1.0.0" {
		t.Errorf("in force: %q", got)
	}
	admin.post("/grants/sha256:none/revoke").has(t, http.StatusOK, "There is no plugin module")
}

// rowsOf are the versions that a page of grants lists.
func rowsOf(p page) string {
	var out []string
	for _, row := range strings.Split(p.body, `data-testid="grant-row"`)[1:] {
		_, row, _ = strings.Cut(row, `<a class="name`)
		_, row, _ = strings.Cut(row, ">")
		name, _, _ := strings.Cut(row, "<")
		out = append(out, strings.TrimSpace(name))
	}
	return strings.Join(out, ",")
}

func TestGrantsPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range pageSize + 1 {
		name := "plugin-" + padded(int64(i))
		s.publishAs(name, "1.0.0", octopus.RingAll, `{"env":["TZ"]}`)
		s.grantTo(name, "1.0.0", "ada")
	}
	b := s.as(octopus.RoleViewer)
	p := b.get("/grants?state=in_force&text=plugin")
	_, rest, found := strings.Cut(p.body, `rel="next"`)
	if n := strings.Count(p.body, `data-testid="grant-row"`); n != pageSize || !found {
		t.Fatalf("%d rows, and a next page is %v: %s", n, found, rest)
	}
	at := strings.LastIndex(p.body[:strings.Index(p.body, `rel="next"`)], `href="`)
	next, _, _ := strings.Cut(p.body[at+len(`href="`):], `"`)
	p = b.get(strings.ReplaceAll(next, "&amp;", "&"))
	if got := rowsOf(p); got != "plugin-"+padded(0)+" 1.0.0" || !strings.Contains(p.body, "Newest") {
		t.Errorf("the second page has %q", got)
	}
}
