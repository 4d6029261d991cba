package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/textfile"
)

// check reads the archive back: each file must be there once, as it was read.
func check(ctx *plugin.Context, archive, digest string, sums map[string]string) error {
	seen, wrong := 0, ""
	sum, err := each(ctx, archive, func(name string, _ int64, sum string) {
		if seen++; sums[name] != sum {
			wrong = name
		}
	})
	switch {
	case err != nil:
		return err
	case wrong != "" || seen != len(sums):
		return &mistake{"verification_failed", "what was read back is not what was written: " + wrong}
	case sum != digest:
		return &mistake{"verification_failed", "the archive on disk is not what was written"}
	}
	return nil
}

// each calls visit for every file in an archive, with its size and SHA-256, and returns the archive's own.
func each(ctx *plugin.Context, archive string, visit func(name string, size int64, sum string)) (string, error) {
	whole := sha256.New()
	in, err := textfile.Open(ctx, archive, 0)
	if err != nil {
		return "", err
	}
	raw := io.TeeReader(in, whole)
	if strings.HasSuffix(archive, ".zip") {
		if _, err := io.Copy(io.Discard, raw); err != nil {
			return "", err
		}
		return hex.EncodeToString(whole.Sum(nil)), eachZipped(ctx, archive, in.Size, visit)
	}
	gz, err := gzip.NewReader(raw)
	if err != nil {
		return "", damaged(err)
	}
	for t := tar.NewReader(gz); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", damaged(err)
		}
		if err := digestOf(t, h.Name, visit); err != nil {
			return "", err
		}
	}
	if _, err := io.Copy(io.Discard, gz); err != nil { // its checksum is at the end
		return "", damaged(err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(whole.Sum(nil)), nil
}

func eachZipped(ctx *plugin.Context, archive string, size int64, visit func(string, int64, string)) error {
	z, err := zip.NewReader(&pages{ctx: ctx, path: archive}, size)
	if err != nil {
		return damaged(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return damaged(err)
		}
		if err := digestOf(r, f.Name, visit); err != nil {
			return err
		}
	}
	return nil
}

func digestOf(r io.Reader, name string, visit func(string, int64, string)) error {
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return damaged(err)
	}
	visit(name, n, hex.EncodeToString(sum.Sum(nil)))
	return nil
}

// damaged keeps an error of the host, and says of others that the archive is damaged.
func damaged(err error) error {
	var host *plugin.HostError
	if errors.As(err, &host) {
		return err
	}
	return &mistake{"damaged", "it cannot be unpacked: " + err.Error()}
}

// pages reads a file anywhere, and keeps the last page. It implements io.ReaderAt.
type pages struct {
	ctx  *plugin.Context
	path string
	at   int64
	page []byte
}

const pageSize = 1 << 20

// ReadAt implements io.ReaderAt.
func (p *pages) ReadAt(b []byte, offset int64) (n int, err error) {
	for n < len(b) {
		from := offset + int64(n)
		if p.page == nil || from < p.at || from >= p.at+int64(len(p.page)) {
			r, err := textfile.Open(p.ctx, p.path, from)
			if err != nil {
				return n, err
			}
			page := make([]byte, pageSize)
			got, err := io.ReadFull(r, page)
			if got == 0 {
				return n, err
			}
			p.at, p.page = from, page[:got]
		}
		n += copy(b[n:], p.page[from-p.at:])
	}
	return n, nil
}

// readSmall reads the begin of a file.
func readSmall(ctx *plugin.Context, path string) ([]byte, error) {
	r, err := textfile.Open(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 4096))
}
