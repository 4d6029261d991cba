package sim

import (
	"strings"
	"time"

	"octopus/e2e/history"
	"octopus/internal/octopus"
)

// judge gives the whole history to the checker that chaos with real processes uses, too.
func (w *World) judge() {
	h := history.History{Promises: w.people.promises, Sightings: w.db.sightings, Witness: w.witness.history}
	for _, id := range w.db.ids {
		h.Stored = append(h.Stored, w.stored(w.db.rows[id]))
	}
	for _, m := range w.agents {
		h.Journals = append(h.Journals, m.disk.history(m.name))
	}
	for _, v := range history.Check(h) {
		w.violated("%s", v)
	}
}

// stored is an execution as the database holds it. Bounds are checked elsewhere: they count from the end of the faults.
func (w *World) stored(r *row) history.Execution {
	x := history.Execution{
		ID: r.ID, Run: r.RunID, Status: string(r.Status), Attempt: r.Attempt, Fence: r.Fence, MaxAttempts: r.MaxAttempts,
		CancelledBy: r.CancelledBy, CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt, Response: r.Response,
	}
	if r.Reason != nil {
		x.Reason = r.Reason.Code
	}
	for n := 1; n <= r.Attempt; n++ {
		a := w.db.attempts[r.ID][n]
		if a == nil {
			continue // the rules miss it
		}
		never := a.Reason != nil && (a.Reason.Code == "never_started" || strings.Contains(a.Reason.Message, "before it started"))
		x.Attempts = append(x.Attempts, history.Attempt{
			Number: n, Fence: a.Fence, Agent: a.AgentName, Status: string(a.Status), NeverRan: never, GoAt: a.GoAt,
		})
	}
	return x
}

// history is what a journal still holds.
func (j *journal) history(agent string) history.Journal {
	out := history.Journal{Agent: agent}
	for _, r := range j.records {
		switch r.kind {
		case noteStarted:
			out.Started = append(out.Started, history.Start{Execution: r.key.Execution, Fence: r.key.Fence, Attempt: r.attempt})
		case noteResult:
			out.Results = append(out.Results, history.Result{Execution: r.key.Execution, Fence: r.key.Fence, Attempt: r.result.Attempt, Response: r.result.Response, SHA256: r.result.BlobSHA256})
		}
	}
	return out
}

// promised notes what a client was told.
func (p *people) promised(kind history.Kind, key, run, execution string, asked time.Duration) {
	promise := history.Promise{Kind: kind, Key: key, Run: run, Asked: epoch.Add(asked), At: p.w.db.now()}
	if execution != "" {
		promise.Executions = []string{execution}
	}
	p.promises = append(p.promises, promise)
}

// sees is a commit, as whoever reads the database at that moment sees it.
func (b *database) sees(x octopus.Execution) {
	b.sightings = append(b.sightings, history.Sighting{
		Observer: "database", Execution: x.ID, Status: string(x.Status), Attempt: x.Attempt, Fence: x.Fence, At: b.now(),
	})
}

// mark adds to what the witness tells.
func (v *witness) mark(w *World, g *guest, start bool) {
	v.history = append(v.history, history.Mark{Execution: g.key.Execution, Attempt: g.attempt, Start: start, At: epoch.Add(w.now)})
}
