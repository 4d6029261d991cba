package folder_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/server/catalog"
	"octopus/server/folder"
	"octopus/wasmplugins"
)

// in puts a file into a folder of the plugin folder.
func in(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, dir, name, content)
}

// source is a plugin.yaml.
func source(name, version string) []byte {
	return fmt.Appendf(nil, "schema: octopus.plugin/v1\nabi: 1\nname: %s\nversion: %s\ndescription: Test\nactions:\n  - name: run\n", name, version)
}

const script = "export async function run({ octopus }) { return octopus.ok('Hello.'); }\n"

// noManifest is a module as a compiler makes it.
func noManifest(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestFolders: a folder with a plugin.yaml is one plugin, others hold modules; nothing below them is looked at.
func TestFolders(t *testing.T) {
	t.Parallel()
	c, s := open(t)
	dir := t.TempDir()
	in(t, dir, "script/plugin.yaml", source("greeter", "1.0.0"))
	in(t, dir, "script/plugin.js", []byte(script))
	in(t, dir, "script/other.wasm", []byte("left by an older build"))
	in(t, dir, "built/plugin.yaml", source("ticker", "1.0.0"))
	in(t, dir, "built/ticker.wasm", packed(t, "ticker", "0.9.0")) // its manifest is an older one
	in(t, dir, "named/plugin.yaml", source("named", "1.0.0"))
	in(t, dir, "named/named.wasm", noManifest(t))
	in(t, dir, "named/test.wasm", noManifest(t))
	in(t, dir, "team/a.wasm", packed(t, "one", "1.0.0"))
	in(t, dir, "team/deeper/b.wasm", packed(t, "deep", "1.0.0"))
	in(t, dir, ".git/c.wasm", packed(t, "hidden", "1.0.0"))
	in(t, dir, "unbuilt/plugin.yaml", source("unbuilt", "1.0.0"))
	in(t, dir, "unbuilt/main.go", []byte("package main"))
	in(t, dir, "several/plugin.yaml", source("several", "1.0.0"))
	in(t, dir, "several/x.wasm", noManifest(t))
	in(t, dir, "several/y.wasm", noManifest(t))
	in(t, dir, "wrong/plugin.yaml", append(source("wrong", "1.0.0"), "licence: MIT\n"...))
	in(t, dir, "wrong/plugin.js", []byte(script))
	if err := os.Symlink(filepath.Join(dir, "team"), filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	f := folder.New(folder.Config{Dir: dir, Catalog: c})
	r := rescan(t, f)
	has(t, r, "built/=in_review", "named/=in_review", "script/=in_review", "several/=broken", "team/a.wasm=in_review", "unbuilt/=broken", "wrong/=broken")
	problems := map[string]string{"several/": "There are 2 .wasm files", "unbuilt/": "octopus plugins build", "wrong/": "plugin.yaml:8"}
	for _, file := range r.Files {
		if want, ok := problems[file.Name]; ok && !strings.Contains(file.Problem, want) {
			t.Errorf("%s: %q does not say %q", file.Name, file.Problem, want)
		}
	}
	for _, name := range []string{"greeter", "ticker", "named", "one"} {
		if sub, err := s.OpenSubmission(t.Context(), name, "1.0.0"); err != nil || sub.CreatedBy != catalog.FolderAuthor {
			t.Errorf("%s: %+v, %v", name, sub, err)
		}
	}
	same, err := c.PackScript([]byte(script), source("greeter", "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if sub, err := s.OpenSubmission(t.Context(), "greeter", "1.0.0"); err != nil || sub.Digest != wasmplugins.Digest(same) {
		t.Errorf("the script's digest is %s, %v; octopus plugins build makes %s", sub.Digest, err, wasmplugins.Digest(same))
	}

	// A new plugin.yaml alone is a new version; a module makes whole what was not built.
	in(t, dir, "built/plugin.yaml", source("ticker", "1.1.0"))
	in(t, dir, "unbuilt/plugin.wasm", noManifest(t))
	has(t, rescan(t, f), "built/=in_review", "named/=in_review", "script/=in_review", "several/=broken", "team/a.wasm=in_review", "unbuilt/=in_review", "wrong/=broken")
	if _, err := s.OpenSubmission(t.Context(), "ticker", "1.1.0"); err != nil {
		t.Error(err)
	}
}

// TestFoldersThatChange: what is built in a folder while the server runs is found there too.
func TestFoldersThatChange(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	dir := t.TempDir()
	f := folder.New(folder.Config{Dir: dir, Publish: true, Catalog: c, Settle: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	in(t, dir, "one/plugin.wasm", noManifest(t))
	in(t, dir, "one/plugin.yaml", source("one", "1.0.0"))
	wait(t, c, "one", "1.0.0")
	in(t, dir, "one/plugin.yaml", source("one", "1.1.0")) // a change in a folder that was there
	wait(t, c, "one", "1.1.0")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// TestArchiveInTheFolder: of what only calls itself a module the beginning is read, and what is too large is not.
func TestArchiveInTheFolder(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	dir := t.TempDir()
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	w, err := z.Create("plugin.wasm")
	if err == nil {
		_, err = w.Write(make([]byte, 16<<20))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "bomb.wasm", bomb.Bytes())
	put(t, dir, "large.wasm", nil)
	if err := os.Truncate(filepath.Join(dir, "large.wasm"), 64<<30); err != nil { // all hole
		t.Skip("this disk has no sparse files:", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "large.wasm"), old, old); err != nil {
		t.Fatal(err)
	}
	in(t, dir, "text/plugin.yaml", bytes.Repeat([]byte("# all comment\n"), 100_000))
	in(t, dir, "text/plugin.js", []byte(script))
	r := rescan(t, folder.New(folder.Config{Dir: dir, Catalog: c}))
	has(t, r, "bomb.wasm=broken", "large.wasm=broken", "text/=broken")
	for i, want := range []string{"a zip archive", "The module has 64GiB; this server takes at most 32MiB", "1 MiB each"} {
		if len(r.Files) == 3 && !strings.Contains(r.Files[i].Problem, want) {
			t.Errorf("%+v does not say %q", r.Files[i], want)
		}
	}
}
