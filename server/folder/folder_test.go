package folder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/internal/octopus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/folder"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/wasmplugins"
)

// TestMain lets the test binary be the runner that tries submissions.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(nil))
	}
	goleak.VerifyTestMain(m)
}

// patience is how long something that comes by itself may take on a loaded machine.
const patience = time.Minute

func open(t *testing.T) (*catalog.Catalog, *store.Store) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	s := storetest.Open(t)
	return catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil),
		Sandbox: catalog.Sandbox{Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}}}), s
}

func packed(t *testing.T, name, version string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, fmt.Appendf(nil, `{"schema":"octopus.plugin/v1","abi":1,"name":%q,"version":%q,"actions":[{"name":"run"}]}`, name, version))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// put writes a file that nobody has touched for an hour.
func put(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// has fails the test unless a look finds exactly these files, as name=status.
func has(t *testing.T, r folder.Report, want ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Files {
		got = append(got, f.Name+"="+f.Status)
		if (f.Problem != "") != (f.Status == folder.Broken) {
			t.Errorf("%+v", f)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || r.Problem != "" {
		t.Errorf("got %v, %q, want %v", got, r.Problem, want)
	}
}

func rescan(t *testing.T, f *folder.Folder) folder.Report {
	t.Helper()
	r, err := f.Rescan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRescan: what is there goes into the review, once; what is broken says why; nothing outside is read.
func TestRescan(t *testing.T) {
	t.Parallel()
	c, s := open(t)
	dir, outside := t.TempDir(), t.TempDir()
	put(t, dir, "a.wasm", packed(t, "one", "1.0.0"))
	put(t, dir, "b.wasm", []byte("Dear plugin"))
	put(t, dir, ".hidden.wasm", packed(t, "hidden", "1.0.0"))
	put(t, dir, "notes.txt", []byte("no module"))
	put(t, outside, "secret.wasm", packed(t, "secret", "1.0.0"))
	if err := os.Symlink(filepath.Join(outside, "secret.wasm"), filepath.Join(dir, "link.wasm")); err != nil {
		t.Fatal(err)
	}
	f := folder.New(folder.Config{Dir: dir, Catalog: c})
	has(t, rescan(t, f), "a.wasm=in_review", "b.wasm=broken")
	sub, err := s.OpenSubmission(t.Context(), "one", "1.0.0")
	if err != nil || sub.CreatedBy != catalog.FolderAuthor {
		t.Fatalf("%+v, %v", sub, err)
	}
	if err := c.Reject(t.Context(), sub.ID, "No", "ada"); err != nil {
		t.Fatal(err)
	}
	// Another server, or the same one after a restart, does not submit again what was rejected.
	has(t, rescan(t, folder.New(folder.Config{Dir: dir, Catalog: c})), "a.wasm=rejected", "b.wasm=broken")

	// A file that somebody may still be writing is left alone.
	if err := os.WriteFile(filepath.Join(dir, "b.wasm"), packed(t, "two", "1.0.0")[:40], 0o600); err != nil {
		t.Fatal(err)
	}
	patient := folder.New(folder.Config{Dir: dir, Catalog: c, Settle: time.Hour / 2})
	has(t, rescan(t, patient), "a.wasm=rejected")
	put(t, dir, "b.wasm", packed(t, "two", "1.0.0"))
	has(t, rescan(t, f), "a.wasm=rejected", "b.wasm=in_review") // what waited for a review is asked about again
	if err := os.Remove(filepath.Join(dir, "a.wasm")); err != nil {
		t.Fatal(err)
	}
	has(t, rescan(t, f), "b.wasm=in_review")
	if r := rescan(t, folder.New(folder.Config{Dir: filepath.Join(dir, "none"), Catalog: c})); r.Problem == "" {
		t.Error("a folder that is not there has no problem")
	}
}

// TestPublishOnChange: what is put into the folder while the server runs is published, where that is configured.
func TestPublishOnChange(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	dir := t.TempDir()
	f := folder.New(folder.Config{Dir: dir, Publish: true, Catalog: c, Settle: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	put(t, dir, "one.wasm", packed(t, "one", "1.0.0"))
	wait(t, c, "one", "1.0.0")
	put(t, dir, "one.wasm", packed(t, "one", "1.1.0"))
	wait(t, c, "one", "1.1.0")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// wait returns when a version is published.
func wait(t *testing.T, c *catalog.Catalog, name, version string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		v, err := c.Resolve(t.Context(), name, version)
		if err == nil && v.CreatedBy == catalog.FolderAuthor {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s: %v", name, version, err)
		}
		if err != nil && octopus.CodeOf(err) == octopus.CodeInternal {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
