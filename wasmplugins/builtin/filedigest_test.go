package builtin_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"octopus/wasmplugins"
)

var hashes = map[string]func() hash.Hash{
	"sha256": sha256.New, "sha1": sha1.New, "md5": md5.New,
	"crc32": func() hash.Hash { return crc32.NewIEEE() },
}

func sumOf(algorithm string, content []byte) string {
	h := hashes[algorithm]()
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

type digestResult struct {
	Digest  string
	Count   int
	Bytes   int64
	Skipped int
	Files   []struct{ Path, Digest string }
}

// examineFileDigest compares with Go's own digests.
func examineFileDigest(t *testing.T, pool *wasmplugins.Pool, digest string) {
	s := newStage(t, pool, digest)
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 55, 56, 63, 64, 65, 119, 120, 128} {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		path := s.write(t, "some", content)
		for algorithm := range hashes {
			var r digestResult
			s.want(t, "digest", map[string]any{"path": path, "algorithm": algorithm}, "", &r)
			if want := sumOf(algorithm, content); r.Digest != want || r.Bytes != int64(size) || r.Count != 1 || r.Files[0].Digest != want {
				t.Errorf("%s of %d bytes: %+v, want %s", algorithm, size, r, want)
			}
		}
	}
	for name, content := range map[string][]byte{ // more than one piece
		"zeros": make([]byte, 5<<20), "binary": bytes.Repeat([]byte{0xff, 0, 1}, 1<<20), "text": []byte(strings.Repeat("häß€𝄞", 300_000)),
	} {
		var r digestResult
		if s.want(t, "digest", map[string]any{"path": s.write(t, name, content)}, "", &r); r.Digest != sumOf("sha256", content) {
			t.Errorf("%s: %s", name, r.Digest)
		}
		s.want(t, "digest", map[string]any{"path": filepath.Join(s.dir, name), "expect": strings.ToUpper(r.Digest)}, "", nil)
		s.want(t, "digest", map[string]any{"path": filepath.Join(s.dir, name), "expect": strings.Repeat("0", 64)}, "digest_mismatch", nil)
	}
	s.want(t, "digest", map[string]any{"path": filepath.Join(s.dir, "none")}, "not_found", nil)
	examineFolders(t, s)
	examineSums(t, s)
}

func examineFolders(t *testing.T, s stage) {
	var lines string
	folder := filepath.Join(s.dir, "tree")
	for d := range 2 {
		for i := range 12 {
			name := fmt.Sprintf("d%d/f%02d.txt", d, i)
			s.write(t, "tree/"+name, []byte(name))
			lines += sumOf("md5", []byte(name)) + "  " + name + "\n"
		}
	}
	s.write(t, "tree/z.conf", []byte("z"))
	lines += sumOf("md5", []byte("z")) + "  z.conf\n"
	var r digestResult
	s.want(t, "digest", map[string]any{"path": folder, "algorithm": "md5"}, "", &r)
	if r.Count != 25 || r.Digest != sumOf("md5", []byte(lines)) {
		t.Errorf("a folder: %d files, %s", r.Count, r.Digest)
	}
	s.want(t, "digest", map[string]any{"path": folder, "recursive": false}, "", &r)
	if r.Count != 1 {
		t.Errorf("%d files beside folders", r.Count)
	}
	for pattern, count := range map[string]int{"f*1?.t*t": 4, "*.conf": 1, "f?": 0, "f0*": 20, "*": 25} {
		if s.want(t, "digest", map[string]any{"path": folder, "pattern": pattern}, "", &r); r.Count != count {
			t.Errorf("%d files match %s, want %d", r.Count, pattern, count)
		}
	}
	s.want(t, "digest", map[string]any{"path": folder, "max_files": 24}, "too_many", nil)
	for i := range 1010 { // more than one page of a listing
		s.write(t, fmt.Sprintf("pages/f%04d", i), nil)
	}
	s.want(t, "digest", map[string]any{"path": filepath.Join(s.dir, "pages"), "pattern": "*9"}, "", &r)
	if r.Count != 101 {
		t.Errorf("%d of 1010 files end with a nine", r.Count)
	}
}

func examineSums(t *testing.T, s stage) {
	s.write(t, "mirror/a", []byte("a"))
	s.write(t, "mirror/sub/b b", []byte("b"))
	s.write(t, "mirror/c", []byte("c"))
	sums := "# a comment\n\n" + sumOf("sha256", []byte("a")) + "  a\r\n" + strings.ToUpper(sumOf("md5", []byte("b"))) + " *sub/b b\n" +
		"SHA1 (c) = " + sumOf("sha1", []byte("c")) + "\nnonsense\n"
	list := s.write(t, "mirror/SUMS", []byte(sums))
	var r struct {
		Files, Changed, Missing int
		Unreadable              int                                       `json:"unreadable_lines"`
		MissingFiles            []string                                  `json:"missing_files"`
		ChangedFiles            []struct{ Path, Expected, Digest string } `json:"changed_files"`
	}
	s.want(t, "verify", map[string]any{"sums": list}, "", &r)
	if r.Files != 3 || r.Changed+r.Missing != 0 || r.Unreadable != 1 {
		t.Errorf("a list that holds: %+v", r)
	}
	s.write(t, "mirror/a", []byte("x"))
	elsewhere := s.write(t, "elsewhere", []byte(sums+sumOf("sha1", nil)+"  gone\n"))
	s.want(t, "verify", map[string]any{"sums": elsewhere, "folder": filepath.Join(s.dir, "mirror")}, "digest_mismatch", &r)
	if r.Changed != 1 || r.Missing != 1 || filepath.Base(r.MissingFiles[0]) != "gone" || r.ChangedFiles[0].Digest != sumOf("sha256", []byte("x")) {
		t.Errorf("a list that does not hold: %+v", r)
	}
	s.want(t, "verify", map[string]any{"sums": s.write(t, "none", []byte("hello\n"))}, "no_digests", nil)
}
