// Command backup puts files of the agent's machine into an archive, reads that back to see that it holds them, and
// removes old archives.
package main

import (
	"fmt"
	"strings"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"create": plugin.Action(create), "verify": plugin.Action(verify)}

func main() { plugin.Main(actions) }

type params struct {
	Sources []string `json:"sources"`
	To      string   `json:"to"`
	Name    string   `json:"name"`
	Format  string   `json:"format"`
	Exclude []string `json:"exclude"`
	retention
}

type result struct {
	Archive  string   `json:"archive"`
	Bytes    int64    `json:"bytes"`
	SHA256   string   `json:"sha256"`
	Files    int      `json:"files"`
	Source   int64    `json:"source_bytes"`
	Verified bool     `json:"verified"`
	Skipped  []string `json:"skipped,omitempty"` // links, devices and the like; the first
	Changed  []string `json:"changed,omitempty"` // while they were read
	Kept     int      `json:"kept"`
	Removed  []string `json:"removed,omitempty"`
	Restore  string   `json:"restore"`
}

// now is the time in an archive's name.
var now = time.Now

func create(ctx *plugin.Context, p params) plugin.Response {
	if p.Name == "" {
		p.Name = "backup"
	}
	if p.Format == "" {
		p.Format = "tar.gz"
	}
	found, err := collect(ctx, p)
	if err != nil {
		return failed(err, "What is to be kept cannot be read")
	}
	if len(found.files) == 0 {
		return plugin.Fail(422, "There are no files below %s: nothing was archived.", strings.Join(p.Sources, ", ")).WithCode("nothing_to_do")
	}
	r := result{Archive: join(p.To, archiveName(p.Name, now(), p.Format)), Files: len(found.files), Skipped: found.skipped}
	ctx.Log("%s into %s", reach.Count(r.Files, "file"), r.Archive)
	r.Restore = restore(r.Archive, p.Format)
	sums, err := write(ctx, p.Format, found, &r)
	if err == nil && !ctx.Execution.DryRun {
		ctx.Progress(0.7, "reading the archive back")
		err = check(ctx, r.Archive, r.SHA256, sums)
		r.Verified = err == nil
	}
	if err == nil {
		err = writeFile(ctx, r.Archive+sidecar, []byte(r.SHA256+"  "+base(r.Archive)+"\n"))
	}
	if err != nil {
		remove(ctx, r.Archive) // half an archive is worse than none
		return failed(err, "The archive was not made").WithResult(r)
	}
	if err := p.apply(ctx, p, &r); err != nil {
		return failed(err, "The archive was made, but old ones are still there").WithResult(r)
	}
	return told(ctx, r)
}

func told(ctx *plugin.Context, r result) plugin.Response {
	how := "written and read back"
	if ctx.Execution.DryRun {
		how = "not written, in a dry run"
	}
	message := fmt.Sprintf("%s in %s (%d bytes), %s; %s kept, %d removed.", reach.Count(r.Files, "file"), r.Archive, r.Bytes, how, reach.Count(r.Kept, "archive"), len(r.Removed))
	if len(r.Changed) > 0 {
		message += fmt.Sprintf(" %s changed meanwhile.", reach.Count(len(r.Changed), "file"))
	}
	return plugin.OK("%s", message).WithResult(r).WithMetric("files", float64(r.Files)).WithMetric("bytes", float64(r.Bytes)).
		WithMetric("source_bytes", float64(r.Source)).WithDB("archives", map[string]any{"archive": r.Archive, "bytes": r.Bytes, "sha256": r.SHA256, "files": r.Files})
}

// mistake is what is wrong with the archive itself, or with what was asked.
type mistake struct{ code, text string }

func (m *mistake) Error() string { return m.text }

func failed(err error, what string) plugin.Response {
	if m, ok := err.(*mistake); ok { //nolint:errorlint // never wrapped
		return plugin.Fail(500, "%s: %s.", what, m.text).WithCode(m.code).WithRetry(false, 0)
	}
	return plugin.FailWith(err, "%s: %s.", what, strings.TrimSuffix(err.Error(), "."))
}

func restore(archive, format string) string {
	if format == "zip" {
		return fmt.Sprintf("unzip -o '%s' -d /", archive)
	}
	return fmt.Sprintf("tar -xzf '%s' -C /", archive)
}

type verifyParams struct {
	Archive string `json:"archive"`
}

// verify reads an archive whole, and compares it with the digest beside it.
func verify(ctx *plugin.Context, p verifyParams) plugin.Response {
	want, err := readSmall(ctx, p.Archive+sidecar)
	if err != nil {
		return failed(err, "The digest beside the archive cannot be read")
	}
	digest, _, _ := strings.Cut(string(want), " ")
	files, bytes := 0, int64(0)
	sum, err := each(ctx, p.Archive, func(_ string, size int64, _ string) { files++; bytes += size })
	if err == nil && sum != digest {
		err = &mistake{"digest_mismatch", "its SHA-256 is " + sum + ", not " + digest}
	}
	if err != nil {
		return failed(err, p.Archive+" is damaged, or cannot be read")
	}
	return plugin.OK("%s is whole: %s, %d bytes.", p.Archive, reach.Count(files, "file"), bytes).
		WithResult(map[string]any{"archive": p.Archive, "sha256": sum, "files": files, "source_bytes": bytes}).WithMetric("files", float64(files))
}
