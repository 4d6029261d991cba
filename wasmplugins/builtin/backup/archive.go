package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"io/fs"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
	"octopus/wasmplugins/builtin/internal/textfile"
)

// piece is how much is written with one call, in bytes.
const piece = 2 << 20

// sidecar is the name's end of the file with an archive's digest, as sha256sum writes it. It is written last: an
// archive without one was never finished.
const sidecar = ".sha256"

// target is a file that grows by calls of the host. It implements io.Writer.
type target struct {
	ctx     *plugin.Context
	path    string
	buf     []byte
	written int64
	sum     hash.Hash
}

type writeRequest struct {
	Path    string `json:"path"`
	Body    []byte `json:"body_base64"`
	Append  bool   `json:"append,omitempty"`
	Parents bool   `json:"parents,omitempty"`
}

func (t *target) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), piece-len(t.buf))
		t.buf, rest = append(t.buf, rest[:n]...), rest[n:]
		if len(t.buf) == piece {
			if err := t.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (t *target) flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	if err := cancelled(t.ctx); err != nil {
		return err
	}
	if err := t.ctx.Call("file.write", writeRequest{t.path, t.buf, t.written > 0, true}, nil); err != nil {
		return err
	}
	t.sum.Write(t.buf)
	t.written += int64(len(t.buf))
	t.buf = t.buf[:0]
	return nil
}

func writeFile(ctx *plugin.Context, path string, content []byte) error {
	return ctx.Call("file.write", writeRequest{Path: path, Body: content, Parents: true}, nil)
}

func remove(ctx *plugin.Context, path string) {
	_ = ctx.Call("file.delete", pathRequest{path}, nil) // it may not be there
}

// packer is one format.
type packer interface {
	begin(f file) (io.Writer, error)
	io.Closer
}

type tarball struct {
	gz  *gzip.Writer
	tar *tar.Writer
}

func (b tarball) begin(f file) (io.Writer, error) {
	return b.tar, b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: inside(f.path), Size: f.Size, Mode: int64(mode(f.Mode)), ModTime: f.Modified, Format: tar.FormatPAX})
}

func (b tarball) Close() error {
	if err := b.tar.Close(); err != nil {
		return err
	}
	return b.gz.Close()
}

type zipped struct{ *zip.Writer }

func (z zipped) begin(f file) (io.Writer, error) {
	h := &zip.FileHeader{Name: inside(f.path), Method: zip.Deflate, Modified: f.Modified}
	h.SetMode(mode(f.Mode))
	return z.CreateHeader(h)
}

// mode reads "rw-r--r--".
func mode(text string) (m fs.FileMode) {
	for i := range min(len(text), 9) {
		if text[i] != '-' {
			m |= 1 << (8 - i)
		}
	}
	return m
}

// write makes the archive, and returns the SHA-256 of what it put in, by name.
func write(ctx *plugin.Context, format string, c *collected, r *result) (map[string]string, error) {
	out := &target{ctx: ctx, path: r.Archive, sum: sha256.New(), buf: make([]byte, 0, piece)}
	var pack packer
	if format == "zip" {
		pack = zipped{zip.NewWriter(out)}
	} else {
		gz := gzip.NewWriter(out)
		pack = tarball{gz, tar.NewWriter(gz)}
	}
	sums := make(map[string]string, len(c.files))
	for i, f := range c.files {
		if i%50 == 0 {
			ctx.Progress(0.7*float64(i)/float64(len(c.files)), "%d of %s", i, reach.Count(len(c.files), "file"))
		}
		sum, err := add(ctx, pack, f, r)
		if err != nil {
			return nil, err
		}
		sums[inside(f.path)] = sum
		r.Source += f.Size
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	if err := out.flush(); err != nil {
		return nil, err
	}
	r.Bytes, r.SHA256 = out.written, hex.EncodeToString(out.sum.Sum(nil))
	return sums, nil
}

// add puts one file in, with the size that it had when it was listed: what is written to it meanwhile is left out, and
// what was cut off is zeroes. Both are told.
func add(ctx *plugin.Context, pack packer, f file, r *result) (string, error) {
	in, err := textfile.Open(ctx, f.path, 0)
	if err != nil {
		return "", err
	}
	w, err := pack.begin(f)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(in, f.Size))
	if err == nil && n < f.Size {
		_, err = io.Copy(io.MultiWriter(w, sum), io.LimitReader(zeroes{}, f.Size-n))
	}
	if in.Size != f.Size || !in.Modified.Equal(f.Modified) {
		ctx.Warn("%s changed while it was read", f.path)
		if len(r.Changed) < shown {
			r.Changed = append(r.Changed, f.path)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
