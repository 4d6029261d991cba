package web

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/folder"
	"octopus/wasmplugins"
)

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

// TestPluginFolderCard: the card is there where a folder is, an administrator has it looked at, and what became of each
// file stands there.
func TestPluginFolderCard(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	s := newSite(t)
	admin, operator := s.as(octopus.RoleAdmin), s.as(octopus.RoleOperator)
	const rescan = "/system/plugins/rescan"
	if p := admin.get("/system"); strings.Contains(p.body, "plugin-folder") {
		t.Error("a server without a plugin folder has its card")
	}
	admin.post(rescan).has(t, http.StatusNotFound, "This server has no plugin folder. Name one with plugins.dir.")

	dir := t.TempDir()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"found","version":"1.0.0","actions":[{"name":"run"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	lay(t, dir, "found.wasm", module)
	lay(t, dir, "<b>.wasm", []byte("Dear plugin"))
	s.web.cfg.Folder = folder.New(folder.Config{Dir: dir, Catalog: s.catalog})
	card := func(p page) string {
		t.Helper()
		checkMarkup(t, p)
		return p.text("plugin-folder")
	}
	if got := card(operator.get("/system")); !strings.Contains(got, dir+" , not looked at yet") || strings.Contains(got, "No plugin lies there") {
		t.Errorf("before the first look: %s", got)
	}
	operator.post(rescan).has(t, http.StatusForbidden, "This needs the role admin")

	p := admin.post(rescan)
	p.has(t, http.StatusOK, "Looked: 2 files are there.")
	if got := card(p); !strings.Contains(got, "found.wasm in review") || !strings.Contains(got, "&lt;b&gt;.wasm") || !strings.Contains(got, "is not WebAssembly") || !strings.Contains(got, "broken") {
		t.Errorf("looked: %s", got)
	}
	sub, err := s.store.OpenSubmission(t.Context(), "found", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	admin.get("/submissions/"+sub.ID).has(t, http.StatusOK, "plugins.dir")
	if err := s.catalog.Reject(t.Context(), sub.ID, "No", "ada"); err != nil {
		t.Fatal(err)
	}
	if got := card(admin.post(rescan)); !strings.Contains(got, "found.wasm rejected") {
		t.Errorf("after the review: %s", got)
	}
	for _, name := range []string{"found.wasm", "<b>.wasm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := card(admin.post(rescan)); !strings.Contains(got, "No plugin lies there. Put a packed .wasm into it.") {
		t.Errorf("empty: %s", got)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if got := card(admin.post(rescan)); !strings.Contains(got, "The plugin folder "+dir+" cannot be read") || strings.Contains(got, "No plugin lies there") {
		t.Errorf("gone: %s", got)
	}
}
