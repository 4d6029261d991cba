package web

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/views"
)

// described reads the document that a test of server/api keeps true.
func described() ([]byte, error) { return os.ReadFile("../../docs/openapi.json") }

func TestReference(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	p := b.get("/api")
	p.has(t, http.StatusOK, `id="op-start-run"`, "/api/v1/runs/{id}/retry", "Run a plugin now", "Needs the role operator.", "Idempotency-Key",
		`href="#type-StartRun"`, `id="type-StartRun"`, "One of the plugin&#39;s actions.", "http-check", "list of ",
		`data-copy="curl -sS &#34;http://octopus.test/api/v1/runs&#34; -H &#34;Authorization: Bearer $TOKEN&#34;`)
	checkMarkup(t, p)
	if strings.Contains(p.body, "/api/v1/clients") {
		t.Error("aliases are listed too")
	}
	if n := len(p.body); n > 2<<20 {
		t.Errorf("the page has %d bytes", n)
	}

	p = b.get("/api?q=RETRY+post")
	checkMarkup(t, p)
	p.has(t, http.StatusOK, `value="RETRY post"`, `data-testid="op-retry-run">`, `data-testid="op-start-run" hidden>`)
	b.get("/api?q=nothing+like+it").has(t, http.StatusOK, "<p class=\"empty slim\" data-filter-empty>No operation matches.")
	b.get("/system").has(t, http.StatusOK, `href="/api"`)

	if p := s.browser().get("/api"); p.Request.URL.Path == "/api" {
		t.Error("the page opens for anybody")
	}
}

func TestWithoutDescription(t *testing.T) {
	t.Parallel()
	s := &Web{}
	if _, err := s.readReference(); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Errorf("got %v", err)
	}
	s.cfg.OpenAPI = func() ([]byte, error) { return []byte("{"), nil }
	if _, err := s.readReference(); err == nil {
		t.Error("half a document is read")
	}
}

// TestCommands: each command names its method, asks for what the path needs, and sends what the body requires.
func TestCommands(t *testing.T) {
	t.Parallel()
	raw, err := described()
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseOpenAPI(raw, "https://o.test")
	if err != nil {
		t.Fatal(err)
	}
	const auth = ` -H "Authorization: Bearer $TOKEN"`
	for id, want := range map[string]string{
		"list-runs":    `curl -sS "https://o.test/api/v1/runs"` + auth,
		"start-run":    `curl -sS "https://o.test/api/v1/runs"` + auth + ` -H 'Content-Type: application/json' -d '{"action":"check","params":{"url":"https://example.com"},"plugin":"http-check"}'`,
		"cancel-run":   `curl -sS -X POST "https://o.test/api/v1/runs/$ID/cancel"` + auth,
		"remove-agent": `curl -sS -X DELETE "https://o.test/api/v1/agents/$ID"` + auth,
	} {
		if got := operation(m, id).Curl; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", id, got, want)
		}
	}
	for _, g := range m.Groups {
		if len(g.Operations) == 0 {
			t.Errorf("%s is empty", g.Name)
		}
		for _, o := range g.Operations {
			if strings.Contains(o.Curl, "{id}") || len(o.Answers) == 0 || o.Summary == "" {
				t.Errorf("%s is not told in full: %+v", o.ID, o)
			}
		}
	}
	list := operation(m, "list-runs")
	i := slices.IndexFunc(list.Params, func(f views.APIField) bool { return f.Name == "limit" })
	if i < 0 || list.Params[i].Limits != "1 to 500, default 50" || list.Params[i].In != "query" {
		t.Errorf("limit reads %+v", list.Params)
	}
	for name, want := range map[string]views.Must{"StartRun": views.MustSend, "NewTask": views.MustSend, "Run": views.MustCome} {
		i := slices.IndexFunc(m.Types, func(t views.APIType) bool { return t.Name == name })
		if i < 0 || m.Types[i].Fields[0].Must != want {
			t.Errorf("%s: want its first field to be %s", name, want)
		}
	}
}

func operation(m views.APIReference, id string) views.APIOperation {
	for _, g := range m.Groups {
		for _, o := range g.Operations {
			if o.ID == id {
				return o
			}
		}
	}
	return views.APIOperation{}
}
