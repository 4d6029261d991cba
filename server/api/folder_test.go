package api_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/api"
	"octopus/server/folder"
)

// withFolder serves the world's API once more, with a plugin folder.
func (w *world) withFolder(dir string) (url string) {
	w.t.Helper()
	c := w.config
	c.Folder = folder.New(folder.Config{Dir: dir, Catalog: w.catalog})
	router := chi.NewRouter()
	api.New(c).Mount(router)
	server := httptest.NewServer(router)
	w.t.Cleanup(server.Close)
	return server.URL
}

// lay puts a file into a folder that nobody has touched for an hour.
func lay(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path, old := filepath.Join(dir, name), time.Now().Add(-time.Hour)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// TestPluginFolder: everybody reads what was found, administrators have the folder looked at, and what is found there
// waits for a review as every submission.
func TestPluginFolder(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	w, ctx := newWorld(t), t.Context()
	for _, call := range []func() (sdk.PluginFolder, error){
		func() (sdk.PluginFolder, error) { return w.client.PluginFolder(ctx) },
		func() (sdk.PluginFolder, error) { return w.client.RescanPluginFolder(ctx) },
	} {
		if _, err := call(); !sdk.IsNotFound(err) || !strings.Contains(err.Error(), "Name one with plugins.dir") {
			t.Errorf("without a folder: %v", err)
		}
	}

	dir := t.TempDir()
	lay(t, dir, "zone.wasm", packed(t, "1.0.0"))
	lay(t, dir, "letter.wasm", []byte("Dear plugin"))
	url := w.withFolder(dir)
	admin := sdk.New(url, w.token, sdk.WithRetries(0))
	defer admin.Close()
	otto, err := w.auth.CreateUser(ctx, w.admin, newUser("otto", octopus.RoleOperator))
	if err != nil {
		t.Fatal(err)
	}
	operator := sdk.New(url, w.tokenOf(subjectOf(otto)), sdk.WithRetries(0))
	defer operator.Close()
	if f, err := operator.PluginFolder(ctx); err != nil || f.Dir != dir || len(f.Files) != 0 || !f.LookedAt.IsZero() {
		t.Errorf("before the first look: %+v, %v", f, err)
	}
	if _, err := operator.RescanPluginFolder(ctx); err == nil || !strings.Contains(err.Error(), "role admin") {
		t.Errorf("an operator looks: %v", err)
	}
	f, err := admin.RescanPluginFolder(ctx)
	if err != nil || f.LookedAt.IsZero() || fmt.Sprint(statuses(f)) != "[letter.wasm broken zone.wasm in_review]" {
		t.Fatalf("looked: %+v, %v", f, err)
	}
	if !strings.Contains(f.Files[0].Problem, "WebAssembly") {
		t.Errorf("a letter is told %q", f.Files[0].Problem)
	}
	if seen, err := operator.PluginFolder(ctx); err != nil || fmt.Sprint(seen.Files) != fmt.Sprint(f.Files) {
		t.Errorf("read: %+v, %v", seen, err)
	}

	// It waits for an administrator, whose decision the next look knows.
	queue, err := w.client.Submissions(ctx, sdk.SubmissionFilter{Status: "in_review"})
	if err != nil || len(queue.Items) != 1 || queue.Items[0].CreatedBy != "plugins.dir" {
		t.Fatalf("the queue: %+v, %v", queue, err)
	}
	if _, err := w.client.ApproveSubmission(ctx, queue.Items[0].ID, sdk.Decision{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "letter.wasm")); err != nil {
		t.Fatal(err)
	}
	if f, err = admin.RescanPluginFolder(ctx); err != nil || fmt.Sprint(statuses(f)) != "[zone.wasm published]" {
		t.Errorf("after the review: %+v, %v", f, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if f, err = admin.RescanPluginFolder(ctx); err != nil || len(f.Files) != 0 || !strings.Contains(f.Problem, "cannot be read") {
		t.Errorf("without the directory: %+v, %v", f, err)
	}
}

func statuses(f sdk.PluginFolder) (out []string) {
	for _, x := range f.Files {
		out = append(out, x.Name+" "+x.Status)
	}
	return out
}
