package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

// send uploads a module and returns the page that shows what is in it.
func (b *browser) send(module []byte) page {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("module", "zone.wasm")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := part.Write(module); err != nil {
		b.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+"/upload", &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func TestSubmitAndReview(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, author := s.as(octopus.RoleAdmin), s.as(octopus.RoleOperator)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"zone","version":"1.0.0","actions":[{"name":"run"}],
		"capabilities":{"env":["TZ"]},"tests":[{"name":"answers","action":"run","expect":{"status_code":200}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	preview := author.send(module)
	preview.has(t, http.StatusOK, "Submit for review")
	if strings.Contains(preview.body, `data-testid="publish"`) {
		t.Error("an operator may publish")
	}
	author.send(append([]byte("PK\x03\x04"), module...)).has(t, http.StatusUnprocessableEntity, "a zip archive", "nothing is unpacked here")
	at := preview.Request.URL.Path
	author.post(at).has(t, http.StatusForbidden, "role admin")
	own := author.post(at, "submit", "1")
	own.has(t, http.StatusOK, `data-status="in_review"`, "case answers", "A new plugin", "An administrator looks at it")
	review := own.Request.URL.Path
	author.post(review+"/approve").has(t, http.StatusForbidden, "role admin")
	admin.get("/submissions").has(t, http.StatusOK, "Submissions", "zone 1.0.0", "the-operator")
	admin.post(review+"/reject").has(t, http.StatusUnprocessableEntity, "Say in a comment")
	admin.post(review+"/approve", "grant", "all", "comment", "Tick").has(t, http.StatusOK, "zone", "granted")
	author.get(review).has(t, http.StatusOK, `data-status="published"`, "Tick")
	author.get("/submissions?status=rejected").has(t, http.StatusOK, "My submissions", "Nothing here")
	s.as(octopus.RoleViewer).get(review).has(t, http.StatusForbidden)
}

// TestSubmittedBefore: who submits what somebody else has in review is told so, and sees nothing of it.
func TestSubmittedBefore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	s := newSite(t)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"zone","version":"1.0.0","actions":[{"name":"run"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	sub, err := s.catalog.Submit(t.Context(), module, "Between us", "olga")
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(octopus.RoleOperator)
	p := b.post(b.send(module).Request.URL.Path, "submit", "1")
	p.has(t, http.StatusOK, "My submissions", "olga submitted these very bytes before: they are in review.")
	if strings.Contains(p.body, "Between us") || strings.Contains(p.body, sub.ID) {
		t.Error("it shows what is not theirs")
	}
	admin := s.as(octopus.RoleAdmin)
	admin.post(admin.send(module).Request.URL.Path, "submit", "1").has(t, http.StatusOK, `data-status="in_review"`, "Between us")
}

// TestTaskSaysThatItsPluginChanged: the task was saved for a version that is gone now.
func TestTaskSaysThatItsPluginChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.grant()
	b := s.as(octopus.RoleOperator)
	task, _, err := s.store.CreateTask(t.Context(), octopus.Task{ID: octopus.NewID(octopus.PrefixTask, s.store.Now()), Name: "old", Type: octopus.TaskAdhoc, Enabled: true,
		Work: octopus.Work{Plugin: "all-kinds", Action: "do", Params: []byte(`{"url":"https://example.com"}`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := b.get("/tasks/" + task.ID); strings.Contains(p.body, "It would not run now") {
		t.Errorf("%s", p.body)
	}
	if err := s.catalog.SetStatus(t.Context(), "all-kinds", "1.0.0", octopus.VersionRevoked, "ada"); err != nil {
		t.Fatal(err)
	}
	b.get("/tasks/"+task.ID).has(t, http.StatusOK, "It would not run now", "Every version of all-kinds is disabled or revoked.")
}
