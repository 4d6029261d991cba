// Package textfile reads files of the machine through the host call
// file.read, a piece at a time.
package textfile

import (
	"io"
	"time"

	"octopus/sdk/plugin"
)

// piece is how much of a file one host call brings, in bytes.
const piece = 1 << 20

// Reader is a file from an offset on. It implements io.Reader.
type Reader struct {
	// Size and Modified are the file's, as the last call saw it.
	Size     int64
	Modified time.Time
	// Offset is where the next byte comes from.
	Offset int64

	ctx  *plugin.Context
	path string
	left []byte
	end  bool
}

// Open reads the first piece, so that a file that cannot be read is told now.
func Open(ctx *plugin.Context, path string, offset int64) (*Reader, error) {
	r := &Reader{ctx: ctx, path: path, Offset: offset}
	return r, r.fetch()
}

type request struct {
	Path     string `json:"path"`
	Offset   int64  `json:"offset"`
	MaxBytes int64  `json:"max_bytes"`
}

type reply struct {
	Body       string    `json:"body"`
	BodyBase64 []byte    `json:"body_base64"`
	Bytes      int64     `json:"bytes"`
	Size       int64     `json:"size"`
	EOF        bool      `json:"eof"`
	Modified   time.Time `json:"modified"`
}

func (r *Reader) fetch() error {
	var got reply
	if err := r.ctx.Call("file.read", request{r.path, r.Offset, piece}, &got); err != nil {
		return err
	}
	r.Size, r.Modified, r.Offset = got.Size, got.Modified, r.Offset+got.Bytes
	r.end = got.EOF || got.Bytes == 0
	if r.left = got.BodyBase64; got.Body != "" {
		r.left = []byte(got.Body)
	}
	return nil
}

// Read implements io.Reader. An error is the host's.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.end {
			return 0, io.EOF
		}
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
