// Command log-grep looks for lines in a file of the agent's machine, and
// judges by how many there are.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/textfile"
)

var actions = plugin.Actions{"search": plugin.Action(search)}

func main() { plugin.Main(actions) }

const (
	maxLine   = 64 << 10 // bytes of a line that are looked at
	shownLine = 1000     // bytes of a line that are shown
	remember  = 90 * 24 * time.Hour
)

type params struct {
	Path       string `json:"path"`
	Pattern    string `json:"pattern"`
	IgnoreCase bool   `json:"ignore_case"`
	Invert     bool   `json:"invert"`
	From       string `json:"from"` // start or last_run
	Show       *int   `json:"show"`
	AtMost     *int   `json:"at_most"`
	AtLeast    *int   `json:"at_least"`
}

type match struct {
	Line int    `json:"line"` // counted from where the reading began
	Text string `json:"text"`
}

type result struct {
	Path    string  `json:"path"`
	Matches int     `json:"matches"`
	Lines   int     `json:"lines"`
	Bytes   int64   `json:"bytes"`
	Rotated bool    `json:"rotated,omitempty"`
	Shown   []match `json:"shown"`
}

// place is where the last run ended.
type place struct {
	Offset int64 `json:"offset"`
}

func search(ctx *plugin.Context, p params) plugin.Response {
	expression := p.Pattern
	if p.IgnoreCase {
		expression = "(?i)" + expression
	}
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return plugin.Fail(400, "The pattern is no regular expression of Go's (RE2): %v.", err).WithCode("invalid_params")
	}
	key := placeKey(p)
	from, rotated, file, err := open(ctx, p, key)
	if err != nil {
		return plugin.FailWith(err, "%s cannot be read: %v", p.Path, err)
	}
	r := result{Path: p.Path, Rotated: rotated, Shown: []match{}}
	end, err := scan(ctx, file, from, pattern, p, &r)
	if err != nil {
		return plugin.FailWith(err, "%s cannot be read to its end: %v", p.Path, err)
	}
	if p.From == "last_run" {
		if err := ctx.KVSet(key, place{Offset: end}, remember); err != nil {
			return plugin.FailWith(err, "Where this run ended cannot be kept for the next: %v", err)
		}
	}
	ctx.Log("%d of %d lines match", r.Matches, r.Lines)
	return judge(p, r).WithResult(r).WithMetric("matches", float64(r.Matches)).WithMetric("lines", float64(r.Lines)).
		WithDB("history", map[string]any{"path": r.Path, "matches": r.Matches, "lines": r.Lines})
}

// placeKey is the same for the same search: two tasks that look for different
// things in one file do not disturb each other.
func placeKey(p params) string {
	sum := sha256.Sum256([]byte(p.Path + "\x00" + p.Pattern))
	return "place/" + hex.EncodeToString(sum[:12])
}

// open begins where the last run ended, or at the start of a file that is now
// shorter than that.
func open(ctx *plugin.Context, p params, key string) (from int64, rotated bool, file *textfile.Reader, err error) {
	var last place
	if p.From == "last_run" {
		if _, err := ctx.KVGet(key, &last); err != nil {
			return 0, false, nil, err
		}
	}
	file, err = textfile.Open(ctx, p.Path, last.Offset)
	if err == nil && file.Size < last.Offset {
		ctx.Log("%s is shorter than at the last run: it is read from its start", p.Path)
		file, err = textfile.Open(ctx, p.Path, 0)
		return 0, true, file, err
	}
	return last.Offset, false, file, err
}

// scan reads to the end and returns where that is. With last_run a last line
// without an end is left for the next run: somebody may be writing it.
func scan(ctx *plugin.Context, file *textfile.Reader, from int64, pattern *regexp.Regexp, p params, r *result) (end int64, err error) {
	show := 20
	if p.Show != nil {
		show = *p.Show
	}
	in := bufio.NewReaderSize(file, maxLine)
	end = from
	for reported := from; ; {
		line, size, err := readLine(in)
		whole := err == nil
		if err != nil && !errors.Is(err, io.EOF) {
			return end, err
		}
		if size == 0 || !whole && p.From == "last_run" {
			return end, nil
		}
		end += size
		r.Lines++
		r.Bytes += size
		if pattern.MatchString(line) != p.Invert {
			if r.Matches++; len(r.Shown) < show {
				r.Shown = append(r.Shown, match{r.Lines, cut(line)})
			}
		}
		if end-reported >= 8<<20 && file.Size > 0 {
			reported = end
			ctx.Progress(float64(end)/float64(max(file.Size, end)), "%d matches so far", r.Matches)
		}
		if !whole {
			return end, nil
		}
	}
}

// readLine returns the next line without its end, at most maxLine of it, and
// how many bytes it took. io.EOF comes with a last line that has no end.
func readLine(in *bufio.Reader) (line string, size int64, err error) {
	raw, err := in.ReadSlice('\n')
	line, size = strings.TrimRight(string(raw), "\r\n"), int64(len(raw))
	for errors.Is(err, bufio.ErrBufferFull) {
		raw, err = in.ReadSlice('\n')
		size += int64(len(raw))
	}
	return line, size, err
}

func cut(line string) string {
	line = strings.ToValidUTF8(line, "?")
	if len(line) <= shownLine {
		return line
	}
	return strings.ToValidUTF8(line[:shownLine], "") + "…"
}

func judge(p params, r result) plugin.Response {
	switch {
	case p.AtMost != nil && r.Matches > *p.AtMost:
		return plugin.Fail(502, "%s: %d of %d lines match, more than %d.", r.Path, r.Matches, r.Lines, *p.AtMost).WithCode("too_many").WithRetry(false, 0)
	case p.AtLeast != nil && r.Matches < *p.AtLeast:
		return plugin.Fail(502, "%s: %d of %d lines match, fewer than %d.", r.Path, r.Matches, r.Lines, *p.AtLeast).WithCode("too_few").WithRetry(false, 0)
	}
	return plugin.OK("%s: %d of %d lines match.", r.Path, r.Matches, r.Lines)
}
