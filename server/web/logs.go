package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
)

// logPage is how many chunks one answer holds.
const logPage = 64

// A page opens with the end of a log: this many lines, or fewer where they are long.
const (
	tailLines = 500
	tailBytes = 256 << 10
)

// logTail reads the end of a log. A chunk holds one line or thousands, so it asks for more until that is enough;
// earlier says that there are lines before it.
func (s *Web) logTail(ctx context.Context, id string) (tail []octopus.LogChunk, earlier bool, err error) {
	for ask := 8; ; ask *= 4 {
		if tail, err = s.cfg.Store.LogTail(ctx, id, ask); err != nil {
			return nil, false, err
		}
		kept, cut := cutTail(tail)
		if cut || len(tail) < ask || ask > tailLines {
			return kept, cut || len(tail) > 0 && tail[0].Seq > 1, nil
		}
	}
}

// cutTail keeps the last lines that a page has room for, and tells whether it left any out.
func cutTail(chunks []octopus.LogChunk) (kept []octopus.LogChunk, cut bool) {
	lines, size := 0, 0
	for i := len(chunks) - 1; i >= 0; i-- {
		all := chunks[i].Lines
		for j := len(all) - 1; j >= 0; j-- {
			lines, size = lines+1, size+len(all[j].Text)
			if lines > tailLines || size > tailBytes && lines > 1 {
				kept = slices.Clone(chunks[i:])
				kept[0].Lines = all[j+1:]
				return kept, true
			}
		}
	}
	return chunks, false
}

// logChunk is a chunk as the page's script reads it: lines are [milliseconds since 1970, text].
type logChunk struct {
	Execution string   `json:"execution"`
	Seq       int64    `json:"seq"`
	Stream    string   `json:"stream,omitempty"`
	Lines     [][2]any `json:"lines,omitempty"`
	Check     bool     `json:"check,omitempty"` // nothing but the newest number: fetch what is missing
}

func chunkOf(c octopus.LogChunk) logChunk {
	out := logChunk{Execution: c.ExecutionID, Seq: c.Seq, Stream: c.Stream, Lines: make([][2]any, len(c.Lines))}
	for i, l := range c.Lines {
		out.Lines[i] = [2]any{l.At.UnixMilli(), l.Text}
	}
	return out
}

// logJSON is what the page's script fetches to fill a gap.
func (s *Web) logJSON(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil || after < 0 {
		after = 0
	}
	chunks, err := s.cfg.Store.Logs(r.Context(), chi.URLParam(r, "id"), after, logPage)
	if err != nil {
		return err
	}
	answer := struct {
		Chunks []logChunk `json:"chunks"`
		More   bool       `json:"more"`
	}{Chunks: []logChunk{}, More: len(chunks) == logPage}
	for _, c := range chunks {
		answer.Chunks = append(answer.Chunks, chunkOf(c))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(answer)
}

// logText is the whole log as a file.
func (s *Web) logText(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if _, err := s.cfg.Store.Execution(r.Context(), id); err != nil {
		return err
	}
	download(w, "text/plain; charset=utf-8", id+".log.txt")
	out := bufio.NewWriter(w)
	defer out.Flush()
	for after := int64(0); ; {
		chunks, err := s.cfg.Store.Logs(r.Context(), id, after, logPage)
		if err != nil || len(chunks) == 0 {
			return nil // the head is written: a broken log ends early
		}
		for _, c := range chunks {
			for _, l := range c.Lines {
				fmt.Fprintf(out, "%s %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), l.Text)
			}
			after = c.Seq
		}
	}
}

// resultJSON is the recorded response as a file.
func (s *Web) resultJSON(w http.ResponseWriter, r *http.Request) error {
	x, err := s.cfg.Store.Execution(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if x.Response == nil {
		return octopus.Errorf(octopus.CodeNotFound, "This execution has no result yet.")
	}
	download(w, "application/json", x.ID+".json")
	w.Write(x.Response)
	return nil
}

// artifact is a file that an attempt left behind.
func (s *Web) artifact(w http.ResponseWriter, r *http.Request) error {
	attempt, _ := strconv.Atoi(r.FormValue("attempt")) // 0: the newest
	a, err := s.cfg.Store.Artifact(r.Context(), chi.URLParam(r, "id"), chi.URLParam(r, "name"), attempt)
	if err != nil {
		return err
	}
	download(w, a.SafeMediaType(), a.Name)
	w.Write(a.Data)
	return nil
}

// download sets the head of a file. What plugins wrote never runs in our origin.
func download(w http.ResponseWriter, kind, name string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
}
