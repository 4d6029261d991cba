// Package static holds what browsers fetch beside the pages: style sheet, scripts, font, icons. Everything is
// embedded and served under one hash of all of it, so that a browser may keep it for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed css *.js lib
var files embed.FS

// sheet are the parts of the one style sheet, app.css, in their order.
var sheet = []string{
	"tokens", "base", "layout", "controls", "status", "tables", "home", "execution", "overlays", "pages", "utilities",
}

// Prefix is the path that [Handler] serves.
const Prefix = "/static/"

// file is one file, ready to be sent.
type file struct {
	kind  string // Content-Type
	plain []byte
	gzip  []byte // nil where it does not pay
}

// types are the few that we have; the tables of the operating system are not asked.
var types = map[string]string{
	".css":     "text/css; charset=utf-8",
	".js":      "text/javascript; charset=utf-8",
	".svg":     "image/svg+xml",
	".woff2":   "font/woff2",
	".LICENSE": "text/plain; charset=utf-8",
}

// load reads everything once: hash of all names and contents, and the files by their base names.
var load = sync.OnceValues(func() (string, map[string]file) {
	sum := sha256.New()
	all := make(map[string]file)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum.Write([]byte(name))
		sum.Write(raw)
		if path.Dir(name) != "css" {
			all[path.Base(name)] = ready(name, raw)
		}
		return nil
	})
	if err != nil {
		panic(err) // the files are in the binary
	}
	all["app.css"] = ready("app.css", styles())
	return hex.EncodeToString(sum.Sum(nil))[:12], all
})

// styles is the one style sheet.
func styles() []byte {
	var out bytes.Buffer
	for _, part := range sheet {
		raw, err := files.ReadFile("css/" + part + ".css")
		if err != nil {
			panic(err) // the files are in the binary
		}
		out.Write(raw)
	}
	return out.Bytes()
}

func ready(name string, raw []byte) file {
	f := file{kind: types[path.Ext(name)], plain: raw}
	if f.kind != types[".woff2"] {
		f.gzip = compress(raw)
	}
	return f
}

func compress(raw []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(raw) // a buffer never fails
	w.Close()
	if out.Len() >= len(raw) {
		return nil
	}
	return out.Bytes()
}

// URL is where a page finds a file, such as "app.css". The address changes with any of the files.
func URL(name string) string {
	hash, _ := load()
	return Prefix + hash + "/" + name
}

// Handler serves the files below [Prefix]. Under the current hash they may be kept for ever.
func Handler() http.Handler {
	hash, all := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		under, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
		f, ok := all[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.kind)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		if under != hash { // a page of another version asks: it gets the file, but must ask again
			h.Set("Cache-Control", "no-cache")
		}
		body := f.plain
		if f.gzip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.gzip
		}
		w.Write(body) // a browser that went away is not our failure
	})
}
