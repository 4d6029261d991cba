package web

import (
	"encoding/json"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func TestCommandThatRepeatsARun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.grant()
	b := s.as(octopus.RoleAdmin)
	b.post("/run", filled("p.url", "http://x.test/?a=1&b=it's", "p.count", "3", "p.tags", "a\nb c", "p.secret", "hunter2",
		"target.selector", "env=prod,role in (web,db)", "timeout", "90s", "fuel", "5 000 000", "sandbox", "full", "clock", "2026-01-01T00:00:00.5Z", "seed", "7")...).has(t, http.StatusOK, "queued")
	runs, _, err := s.store.Runs(t.Context(), store.RunFilter{}, store.Page{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	run, err := s.store.Run(t.Context(), runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	const want = `octopus run all-kinds --param 'url=http://x.test/?a=1&b=it'\''s' --param count=3 --param follow=false ` +
		`--param 'tags=["a","b c"]' --param 'secret=<secret>' --selector 'env=prod,role in (web,db)' --timeout 1m30s --fuel 5000000 --sandbox full --clock 2026-01-01T00:00:00.5Z --seed 7`
	if got := s.web.twin(t.Context(), run); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b.get("/runs/"+run.ID).has(t, http.StatusOK, `data-testid="cli-again"`, "octopus run all-kinds")

	run.Params = json.RawMessage(`{"url":"http://x.test/` + strings.Repeat("x", maxTwin) + `"}`)
	if got := s.web.twin(t.Context(), run); got != "octopus runs retry "+run.ID {
		t.Errorf("a long one is %s", got)
	}
}

func TestCommandOfATaskIsQuoted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.grant()
	b := s.as(octopus.RoleAdmin)
	b.post("/tasks", filled("enabled", "true", "name", "it's <i>mine</i>")...).has(t, http.StatusOK, "Saved")
	rows, _, err := s.store.Tasks(t.Context(), store.TaskFilter{}, store.Page{})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d tasks, %v", len(rows), err)
	}
	want := html.EscapeString(`octopus tasks run 'it'\''s <i>mine</i>'`)
	b.get("/tasks/"+rows[0].ID).has(t, http.StatusOK, want)
}

func TestLogOpensAtItsTail(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	chunk := func(seq int64, n, size int) octopus.LogChunk {
		c := octopus.LogChunk{ExecutionID: "exe_x", Seq: seq, Lines: make([]octopus.LogLine, n)}
		for i := range c.Lines {
			c.Lines[i] = octopus.LogLine{At: at, Text: strings.Repeat("x", size)}
		}
		return c
	}
	for name, tc := range map[string]struct {
		chunks    []octopus.LogChunk
		lines     int
		firstSeq  int64
		wantEarly bool
	}{
		"nothing":               {nil, 0, 0, false},
		"40 chunks of one line": {many(40, chunk), 40, 1, false},
		"one chunk too long":    {[]octopus.LogChunk{chunk(1, 700, 5)}, tailLines, 1, true},
		"cut inside a chunk":    {[]octopus.LogChunk{chunk(1, 300, 5), chunk(2, 300, 5)}, tailLines, 1, true},
		"long lines":            {[]octopus.LogChunk{chunk(1, 10, 64<<10)}, 4, 1, true},
		"one enormous line":     {[]octopus.LogChunk{chunk(1, 1, 1<<20)}, 1, 1, false},
	} {
		kept, cut := cutTail(tc.chunks)
		lines := 0
		for _, c := range kept {
			lines += len(c.Lines)
		}
		if lines != tc.lines || cut != tc.wantEarly || len(kept) > 0 && kept[0].Seq != tc.firstSeq {
			t.Errorf("%s: %d lines, cut %v", name, lines, cut)
		}
	}
}

func many(n int, chunk func(int64, int, int) octopus.LogChunk) (out []octopus.LogChunk) {
	for i := range n {
		out = append(out, chunk(int64(i+1), 1, 10))
	}
	return out
}

func TestPageShowsAWholeShortLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.grant()
	b := s.as(octopus.RoleAdmin)
	b.post("/run", filled()...).has(t, http.StatusOK, "queued")
	rows, _, err := s.store.Executions(t.Context(), store.ExecutionFilter{}, store.Page{})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d executions, %v", len(rows), err)
	}
	var chunks []octopus.LogChunk
	for i := range 40 {
		chunks = append(chunks, octopus.LogChunk{ExecutionID: rows[0].ID, Seq: int64(i + 1), Stream: "stdout",
			Lines: []octopus.LogLine{{At: time.Now().UTC(), Text: "tick " + strings.Repeat("|", i+1) + "."}}})
	}
	if _, err := s.store.AppendLogs(t.Context(), chunks); err != nil {
		t.Fatal(err)
	}
	p := b.get("/executions/" + rows[0].ID)
	p.has(t, http.StatusOK, "tick |.", "tick "+strings.Repeat("|", 40)+".", `data-seq="40"`)
	if strings.Contains(p.body, "Earlier lines") {
		t.Error("nothing is earlier than the first line")
	}
}
