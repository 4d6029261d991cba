package builtin_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

type backupResult struct {
	Archive, SHA256, Restore  string
	Bytes                     int64
	Files, Kept               int
	Verified                  bool
	Skipped, Removed, Changed []string
}

func TestBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	pool, modules := sandbox(t)
	s := newStage(t, pool, modules.digests["backup"])
	random := make([]byte, 5<<20) // more than one call brings, and writes
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	want := map[string][]byte{"src/a.txt": []byte("häß"), "src/sub/empty": {}, "src/sub/random.bin": random, "other": []byte("other")}
	for name, content := range want {
		s.write(t, name, content)
	}
	s.write(t, "src/b.tmp", []byte("not kept"))
	s.write(t, "src/cache/x", []byte("not kept"))
	if err := os.Chmod(filepath.Join(s.dir, "src/a.txt"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.txt", filepath.Join(s.dir, "src/link")); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(s.dir, "src", "kept") // within what is archived
	for _, format := range []string{"tar.gz", "zip"} {
		var r backupResult
		s.want(t, "create", map[string]any{"sources": []string{filepath.Join(s.dir, "src"), filepath.Join(s.dir, "other"), filepath.Join(s.dir, "src", "a.txt")},
			"to": to, "name": format[:3], "format": format, "exclude": []string{"*.tmp", filepath.Join(s.dir, "src/cache")}}, "", &r)
		raw, err := os.ReadFile(r.Archive)
		if err != nil {
			t.Fatal(err)
		}
		if r.Files != 4 || !r.Verified || r.Kept != 1 || len(r.Skipped) != 1 || len(r.Changed) != 0 || r.Bytes != int64(len(raw)) || r.SHA256 != sumOf("sha256", raw) || !strings.Contains(r.Restore, r.Archive) {
			t.Errorf("%s: %+v", format, r)
		}
		got := map[string][]byte{}
		for name, content := range unpack(t, r.Archive, raw) {
			got[strings.TrimPrefix(name, strings.TrimPrefix(filepath.ToSlash(s.dir), "/")+"/")] = content
		}
		if !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s holds %v", format, slices.Sorted(maps.Keys(got)))
		}
		s.want(t, "verify", map[string]any{"archive": r.Archive}, "", nil)
		if side, err := os.ReadFile(r.Archive + ".sha256"); err != nil || string(side) != r.SHA256+"  "+filepath.Base(r.Archive)+"\n" {
			t.Errorf("beside it: %q, %v", side, err)
		}
		raw[len(raw)/2] ^= 1
		s.write(t, "src/kept/"+filepath.Base(r.Archive), raw)
		if r := s.run(t, "verify", map[string]any{"archive": r.Archive}); r.StatusCode != 500 || !strings.Contains(r.Message, "damaged") {
			t.Errorf("a damaged %s: %d %s", format, r.StatusCode, r.Message)
		}
	}
	examineRetention(t, s)
}

// unpack reads an archive as other programs do.
func unpack(t *testing.T, name string, raw []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	keep := func(name string, mode os.FileMode, r io.Reader) {
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "a.txt") && mode.Perm() != 0o640 {
			t.Errorf("%s has mode %s", name, mode)
		}
		files[name] = content
	}
	if strings.HasSuffix(name, ".zip") {
		z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			keep(f.Name, f.Mode(), r)
		}
		return files
	}
	gz, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		keep(h.Name, h.FileInfo().Mode(), r)
	}
}

// examineRetention has old archives removed: those that no rule keeps, and those that were never finished; nothing else.
func examineRetention(t *testing.T, s stage) {
	old := func(age time.Duration) string {
		return "b-" + time.Now().UTC().Add(-age).Format("20060102T150405Z") + ".tar.gz"
	}
	const day = 24 * time.Hour
	for age, finished := range map[time.Duration]bool{10 * day: true, 20 * day: true, 30 * day: true, 40 * day: false, time.Minute: false} {
		name := s.write(t, "to/"+old(age), []byte("x"))
		if finished {
			s.write(t, "to/"+filepath.Base(name)+".sha256", []byte("x"))
		}
	}
	foreign := []string{"to/mine.tar.gz", "to/c-20200101T000000Z.tar.gz", "to/b-20200101T000000Z"}
	for _, name := range foreign {
		s.write(t, name, []byte("x"))
	}
	params := map[string]any{"sources": []string{filepath.Join(s.dir, "other")}, "to": filepath.Join(s.dir, "to"), "name": "b", "keep_last": 2}
	count := func() int {
		list, err := os.ReadDir(filepath.Join(s.dir, "to"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	s.dryRun = true
	var r backupResult
	if s.want(t, "create", params, "", &r); r.Verified || len(r.Removed) != 3 || count() != before {
		t.Errorf("a dry run: %+v, %d files of %d", r, count(), before)
	}
	s.dryRun = false
	if s.want(t, "create", params, "", &r); r.Kept != 2 || len(r.Removed) != 3 {
		t.Errorf("%+v", r)
	}
	for i, name := range append(foreign, "to/"+filepath.Base(r.Archive), "to/"+filepath.Base(r.Archive)+".sha256") {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if left := count(); left != len(foreign)+2+2+1 { // with that of ten days ago, and of the minute ago, which somebody may be writing
		t.Errorf("%d files are left", left)
	}
	s.want(t, "create", map[string]any{"sources": []string{filepath.Join(s.dir, "gone")}, "to": s.dir}, "not_found", nil)
	s.want(t, "create", map[string]any{"sources": []string{"/"}, "to": "/not-allowed"}, "denied", nil)
}
