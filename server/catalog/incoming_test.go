package catalog_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/wasmplugins"
)

// zeroes is endless.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// counted notes how much of a reader was read.
type counted struct {
	io.Reader
	read int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

// archived returns what a writer of archives wrote.
func archived(t *testing.T, fill func(w io.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := fill(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zipped is a zip archive with copies of a file.
func zipped(t *testing.T, copies int, content func() io.Reader) []byte {
	t.Helper()
	return archived(t, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for i := range copies {
			f, err := z.Create(fmt.Sprintf("lib %d.zip", i))
			if err == nil {
				_, err = io.Copy(f, content())
			}
			if err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// bombs are small files that would be very large ones: nested as 42.zip is, and flat.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	const flat = 4 << 20
	nested := zipped(t, 1, func() io.Reader { return io.LimitReader(zeroes{}, flat) })
	for range 5 { // 16⁵ × 4 MiB are 4 TiB
		inner := nested
		nested = zipped(t, 16, func() io.Reader { return bytes.NewReader(inner) })
	}
	return map[string][]byte{
		"a zip archive": nested,
		"compressed with gzip": archived(t, func(w io.Writer) error {
			z := gzip.NewWriter(w)
			if _, err := io.Copy(z, io.LimitReader(zeroes{}, flat)); err != nil {
				return err
			}
			return z.Close()
		}),
		"a tar archive": archived(t, func(w io.Writer) error {
			a := tar.NewWriter(w)
			if err := a.WriteHeader(&tar.Header{Name: "plugin.wasm", Size: flat, Mode: 0o644}); err != nil {
				return err
			}
			_, err := io.Copy(a, io.LimitReader(zeroes{}, flat))
			return err
		}),
		"an empty zip archive": zipped(t, 0, nil),
		"compressed with zstd": append([]byte("\x28\xb5\x2f\xfd"), make([]byte, flat)...),
		"does not begin with":  make([]byte, flat),
	}
}

// TestArchivesAreRefusedAtOnce: of what is no module only the first bytes are read, and nothing is unpacked.
func TestArchivesAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	for kind, bomb := range bombs(t) {
		r := &counted{Reader: bytes.NewReader(bomb)}
		_, err := c.ReadModule(r, -1)
		wantError(t, err, octopus.CodeInvalid, kind)
		if r.read > wasmplugins.HeadSize {
			t.Errorf("%s: %d of %d bytes were read", kind, r.read, len(bomb))
		}
		if _, err := c.Upload(t.Context(), bomb, "ada"); octopus.CodeOf(err) != octopus.CodeInvalid && octopus.CodeOf(err) != octopus.CodeTooLarge {
			t.Errorf("%s: uploaded whole: %v", kind, err)
		}
	}
}

// TestReadModuleBounds: what is too large is refused where it says so itself, else at the limit.
func TestReadModuleBounds(t *testing.T) {
	t.Parallel()
	const most = 64 << 10
	c := catalog.New(catalog.Config{Cache: cache.New(nil, nil), MaxModule: most})
	begin := "\x00asm\x01\x00\x00\x00"
	r := &counted{Reader: strings.NewReader(begin)}
	_, err := c.ReadModule(r, 40<<20)
	wantError(t, err, octopus.CodeTooLarge, "The module has 40MiB; this server takes at most 64KiB")
	if r.read > 0 {
		t.Errorf("%d bytes of what was announced as too large were read", r.read)
	}
	for _, announced := range []int64{-1, 100} { // nothing, or a lie
		r := &counted{Reader: io.MultiReader(strings.NewReader(begin), zeroes{})}
		_, err := c.ReadModule(r, announced)
		wantError(t, err, octopus.CodeTooLarge, "over the 64KiB that this server takes")
		if r.read > most+wasmplugins.HeadSize+1 {
			t.Errorf("%d bytes were read", r.read)
		}
	}
	whole := begin + strings.Repeat("x", most-len(begin))
	if got, err := c.ReadModule(strings.NewReader(whole), most); err != nil || string(got) != whole {
		t.Errorf("of the largest module %d bytes, %v", len(got), err)
	}
	for _, short := range []string{"", "\x00as", begin[:4]} {
		if _, err := c.ReadModule(strings.NewReader(short), -1); octopus.CodeOf(err) != octopus.CodeInvalid {
			t.Errorf("%q: %v", short, err)
		}
	}
	cut := errors.New("cut off")
	for _, head := range []string{begin[:5], begin + strings.Repeat("x", 4<<10)} {
		if _, err := c.ReadModule(io.MultiReader(strings.NewReader(head), broken{cut}), -1); !errors.Is(err, cut) {
			t.Errorf("a connection that broke: %v", err)
		}
	}
}

// broken is the end of a connection that was cut.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// TestTakenVersion: a conflict names the version, who has it, and since when.
func TestTakenVersion(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	upload(t, c, pack(t, "hello", "1.0.0", `{}`, ""))
	_, err := c.Upload(t.Context(), pack(t, "hello", "1.0.0", `{}`, "changed"), "bob")
	wantError(t, err, octopus.CodeConflict, "hello 1.0.0 was published with other content by ada on 2026-01-01 at 00:00 UTC")
	q, _ := queue(t, false)
	if _, err := q.Submit(t.Context(), tested(t, "1.0.0", 200, `{}`), "", "ada"); err != nil {
		t.Fatal(err)
	}
	_, err = q.Submit(t.Context(), tested(t, "1.0.0", 0, `{}`), "", "bob")
	wantError(t, err, octopus.CodeConflict, "by ada since "+time.Now().UTC().Format("2006-01-"))
}
