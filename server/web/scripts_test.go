package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/catalog"
)

var revisionField = regexp.MustCompile(`name="revision" value="(\d+)"`)

// inPlace sends a draft's form as the page's script does.
func (b *browser) inPlace(path string, fields ...string) page {
	b.t.Helper()
	r := b.form(path, fields...)
	r.Header.Set("HX-Request", "true")
	r.Header.Set("HX-Request-Type", "partial")
	return b.do(r)
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	s := newSite(t)
	author, other := s.as(octopus.RoleOperator), s.as(octopus.RoleAdmin)
	s.as(octopus.RoleUser).get("/drafts/new").has(t, http.StatusForbidden)
	author.post("/drafts", "name", "No Good", "template", "hello").has(t, http.StatusUnprocessableEntity, "lower-case letters")
	author.post("/drafts", "name", "sums", "template", "../hello").has(t, http.StatusUnprocessableEntity, "Choose one")
	p := author.post("/drafts", "name", "sums", "template", "transform")
	p.has(t, http.StatusOK, "export function total", "name: sums", `value="total"`)
	at := p.Request.URL.Path
	other.get(at).has(t, http.StatusNotFound)
	other.post(at+"/delete").has(t, http.StatusNotFound)
	author.get("/submissions").has(t, http.StatusOK, "My drafts", "sums")

	script, _ := catalog.NewScript("transform", "sums")
	fields := func(revision, source string, more ...string) []string {
		return append([]string{"revision", revision, "script", source, "manifest", script.Manifest}, more...)
	}
	broken := "// changed\r\nexport function total() {\r\n  return {;\r\n}\r\n"
	saved := author.inPlace(at+"/save", fields("1", broken)...)
	if saved.StatusCode != http.StatusNoContent || saved.Header.Get("Octopus-Revision") != "2" {
		t.Fatalf("saved: %d, revision %q", saved.StatusCode, saved.Header.Get("Octopus-Revision"))
	}
	author.inPlace(at+"/save", fields("1", "// late")...).has(t, http.StatusPreconditionFailed, "saved elsewhere")
	p = author.get(at)
	if m := revisionField.FindStringSubmatch(p.body); m == nil || m[1] != "2" || strings.Contains(p.body, "\r") || !strings.Contains(p.body, "// changed") {
		t.Errorf("after a save: %s", p.body)
	}
	author.inPlace(at+"/validate", fields("2", broken)...).has(t, http.StatusOK, `data-goto="plugin.js:3"`, "SyntaxError")
	author.post(at+"/submit", fields("2", broken)...).has(t, http.StatusUnprocessableEntity, "It was not submitted.", "plugin.js:3")
	author.inPlace(at+"/test", fields("2", script.Source)...).has(t, http.StatusOK, "case adds up", "Passed")
	tried := author.inPlace(at+"/try", fields("3", script.Source, "action", "total", "params", `{"items":[{"name":"<b>","amount":2}]}`)...)
	tried.has(t, http.StatusOK, "Groups: 1.", "1 items in 1 groups", "&lt;b&gt;")
	author.inPlace(at+"/try", fields("3", script.Source, "action", "total", "params", `{`)...).has(t, http.StatusOK, "not valid JSON")
	own := author.post(at+"/submit", fields("3", script.Source, "note", "Please")...)
	own.has(t, http.StatusOK, `data-status="in_review"`, "sums", "case adds up", "Please")
	if !strings.HasPrefix(own.Request.URL.Path, "/submissions/") {
		t.Errorf("ended at %s", own.Request.URL)
	}
	other.post(own.Request.URL.Path+"/approve").has(t, http.StatusOK, "sums")
	author.post(at+"/submit", fields("3", script.Source)...).has(t, http.StatusConflict, "published already")
	author.post(at+"/nothing", fields("3", script.Source)...).has(t, http.StatusNotFound)
	author.post(at+"/delete").has(t, http.StatusOK, "My submissions")
	author.get(at).has(t, http.StatusNotFound)
}
