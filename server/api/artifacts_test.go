package api_test

import (
	"testing"

	"octopus/sdk"
)

// TestArtifacts: what a plugin printed in place of a response is listed, and downloaded as something harmless.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.agent("web-01", 2)
	ids := map[string]string{}
	for _, junk := range []string{"", "<script>\x1b[2J"} {
		run, err := w.client.StartRun(t.Context(), greet(map[string]any{"junk": junk}))
		if err != nil {
			t.Fatal(err)
		}
		ids[junk] = run.Executions[0].ID
		if _, err := w.client.WaitExecution(t.Context(), ids[junk]); err != nil {
			t.Fatal(err)
		}
	}
	none, err := w.client.Artifacts(t.Context(), ids[""])
	if err != nil || none.Items == nil || len(none.Items) != 0 {
		t.Errorf("of a good response: %+v %v", none, err)
	}
	id := ids["<script>\x1b[2J"]
	x, err := w.client.Execution(t.Context(), id)
	if err != nil || x.Status != "failed" || x.Links.Artifacts != "/api/v1/executions/"+id+"/artifacts" {
		t.Fatalf("%+v %v", x, err)
	}
	page, err := w.client.Artifacts(t.Context(), id)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	const want = `<script>\x1b[2J`
	a := page.Items[0]
	if a.Name != "invalid-response.txt" || a.Attempt != 1 || a.Size != int64(len(want)) || a.MediaType != "text/plain; charset=utf-8" || a.CreatedAt.IsZero() {
		t.Errorf("%+v", a)
	}
	got := w.raw("GET", a.Link, "")
	if got.StatusCode != 200 || got.body != want {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	for name, value := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": "attachment; filename=invalid-response.txt",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
	} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if data, err := w.client.DownloadArtifact(t.Context(), id, a.Name, 0); err != nil || string(data) != want {
		t.Errorf("%q %v", data, err)
	}
	for _, path := range []string{"/executions/" + id + "/artifacts/other.txt", "/executions/" + id + "/artifacts/invalid-response.txt?attempt=2",
		"/executions/exe_nothing/artifacts", "/executions/exe_nothing/artifacts/invalid-response.txt"} {
		if a := w.raw("GET", "/api/v1"+path, ""); a.StatusCode != 404 || a.problem.Detail == "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	if _, err := w.as("").Artifacts(t.Context(), id); !sdk.IsDenied(err) {
		t.Errorf("without a token: %v", err)
	}
}
