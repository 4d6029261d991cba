package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// TestArtifacts: the page lists what an attempt left behind, and the file is a download that no browser runs.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	id := made.Executions[0].ID
	s.step(id, storetest.Offer("agt_x"))
	s.step(id, storetest.Accept)
	b := s.as(octopus.RoleViewer)
	if p := b.get("/executions/" + id); strings.Contains(p.body, `data-testid="artifacts"`) {
		t.Error("a list without artifacts")
	}
	s.step(id, func(x octopus.Execution, now time.Time) (store.Change, error) {
		c, err := storetest.End(octopus.Failed)(x, now)
		c.Artifacts = []octopus.Artifact{
			{Name: octopus.ArtifactInvalidResponse, Attempt: 1, MediaType: "text/plain; charset=utf-8", Data: []byte("hello")},
			{Name: `a "page".html`, Attempt: 1, MediaType: "text/html", Data: []byte("<script>")},
		}
		return c, err
	})
	file := "/executions/" + id + "/artifacts/invalid-response.txt?attempt=1"
	b.get("/executions/"+id).has(t, http.StatusOK, `data-testid="artifacts"`, file, "/artifacts/a%20%22page%22.html?attempt=1")
	for path, want := range map[string][3]string{
		file: {"text/plain; charset=utf-8", "attachment; filename=invalid-response.txt", "hello"},
		"/executions/" + id + "/artifacts/a%20%22page%22.html": {"application/octet-stream", `attachment; filename="a \"page\".html"`, "<script>"},
	} {
		p := b.get(path)
		h := p.Header
		if p.StatusCode != http.StatusOK || h.Get("Content-Type") != want[0] || h.Get("Content-Disposition") != want[1] || p.body != want[2] ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("%s: %d %v %q", path, p.StatusCode, h, p.body)
		}
	}
	b.get("/executions/"+id+"/artifacts/other.txt").has(t, http.StatusNotFound, "no such artifact")
}
