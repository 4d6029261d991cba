package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/dispatch"
	"octopus/server/store"
	"octopus/views"
)

// executionPage shows one execution, whether or not its run has others.
func (s *Web) executionPage(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	frame := s.frame(w, r, "runs", "", topicExecution+id, topicLogs+id)
	m, err := s.executionModel(r.Context(), id)
	if err != nil {
		return err
	}
	return s.showExecution(w, r, frame, m)
}

func (s *Web) showExecution(w http.ResponseWriter, r *http.Request, frame views.Page, m views.Execution) error {
	m.Page = frame
	m.Title = name(m.X) + ": " + strings.ReplaceAll(string(m.X.Status), "_", " ")
	if m.Alone {
		m.Crumbs = crumbs("Runs", "/runs", name(m.X))
	} else {
		m.Crumbs = crumbs("Runs", "/runs", name(m.X), "/runs/"+m.X.RunID, cmp.Or(m.X.AgentName, "execution"))
	}
	m.CLI, m.Again = "octopus executions explain "+m.X.ID, s.twin(r.Context(), m.Run)
	return s.render(w, r, http.StatusOK, views.ExecutionPage(m))
}

// runOrExecution shows a run. A run with one execution is that execution's page.
func (s *Web) runOrExecution(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	ctx := r.Context()
	frame := s.frame(w, r, "runs", "", topicRun+id)
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil {
		return err
	}
	p := store.Page{Limit: 100, Cursor: r.URL.Query().Get("cursor")}
	rows, next, err := s.cfg.Store.RunExecutions(ctx, id, p)
	if err != nil {
		return err
	}
	if run.Total == 1 && len(rows) == 1 {
		x := rows[0].ID
		m, err := s.executionModel(ctx, x)
		if err != nil {
			return err
		}
		frame.Events = strings.Replace(frame.Events, queryTopics(topicRun+id), queryTopics(topicExecution+x, topicLogs+x), 1)
		return s.showExecution(w, r, frame, m)
	}
	m := s.runModel(ctx, run)
	m.Page = frame
	m.Title = m.Run.Plugin + ": " + string(run.Status())
	m.Crumbs = crumbs("Runs", "/runs", cmp.Or(run.TaskName, run.Plugin))
	m.CLI, m.Again = "octopus runs get "+run.ID, s.twin(ctx, run)
	m.Rows, m.Closed = rows, p.Cursor != ""
	if next != "" {
		m.Pages.Next = "/runs/" + id + "?cursor=" + next
	}
	if p.Cursor != "" {
		m.Pages.First = "/runs/" + id
	}
	return s.render(w, r, http.StatusOK, views.RunManyPage(m))
}

func (s *Web) runModel(ctx context.Context, run octopus.Run) views.Run {
	m := views.Run{Run: run, Where: views.TargetWords(run.Target)}
	m.Params = s.paramsOf(ctx, run.Digest, run.Action, run.Params)
	m.Facts = []views.Pair{{Label: "Plugin", Text: run.Plugin + " " + run.Version}, {Label: "Target", Text: m.Where}}
	m.Facts = append(m.Facts, workFacts(run.Work)...)
	return m
}

// paramsOf lists the parameters of what ran. Where its schema cannot be read nothing is known to be public, so
// everything is masked.
func (s *Web) paramsOf(ctx context.Context, digest, action string, params json.RawMessage) []views.Param {
	m, err := s.cfg.Catalog.Manifest(ctx, digest)
	a, known := m.Action(action)
	list := shownParams(properties(a.Params), params)
	if err != nil || !known {
		for i := range list {
			list[i].Masked, list[i].Text = true, ""
		}
	}
	return list
}

func workFacts(w octopus.Work) (out []views.Pair) {
	if w.Timeout > 0 {
		out = append(out, views.Pair{Label: "Timeout", Text: views.Span(w.Timeout)})
	}
	if w.MaxAttempts > 1 {
		out = append(out, views.Pair{Label: "Attempts", Text: strconv.Itoa(w.MaxAttempts)})
	}
	if w.DryRun {
		out = append(out, views.Pair{Label: "Dry run", Text: "nothing is changed"})
	}
	if w.Priority != 0 {
		out = append(out, views.Pair{Label: "Priority", Text: strconv.Itoa(w.Priority)})
	}
	if w.Fuel > 0 {
		out = append(out, views.Pair{Label: "Fuel", Text: views.Count(w.Fuel)})
	}
	if w.OnLost == octopus.OnLostRetry {
		out = append(out, views.Pair{Label: "If lost", Text: "start again elsewhere"})
	}
	return append(out, sandboxFacts(w.Sandbox, w.Repeat)...)
}

// sandboxFacts are what was asked of the sandbox.
func sandboxFacts(level octopus.SandboxLevel, repeat octopus.Repeat) (out []views.Pair) {
	switch level {
	case "":
	case octopus.SandboxFull:
		out = append(out, views.Pair{Label: "Sandbox", Text: "full"})
	default:
		out = append(out, views.Pair{Label: "Sandbox", Text: string(level) + " or better"})
	}
	if !repeat.Clock.IsZero() {
		out = append(out, views.Pair{Label: "Clock", Text: "frozen at " + views.Moment(repeat.Clock)})
	}
	if repeat.Seed != nil {
		out = append(out, views.Pair{Label: "Random numbers", Text: "from the seed " + views.Seed(repeat.Seed)})
	}
	return out
}

// executionModel reads all that the page of an execution shows.
func (s *Web) executionModel(ctx context.Context, id string) (m views.Execution, err error) {
	if m.Why, err = s.cfg.Dispatch.Explain(ctx, id); err != nil {
		return m, err
	}
	m.X = m.Why.Execution
	if m.Run, err = s.cfg.Store.Run(ctx, m.X.RunID); err != nil {
		return m, err
	}
	m.Alone = m.Run.Total == 1
	m.Timeline = timeline(m.X)
	m.Params = s.paramsOf(ctx, m.X.Digest, m.X.Action, m.X.Params)
	if m.Attempts, err = s.cfg.Store.Attempts(ctx, id); err != nil {
		return m, err
	}
	if m.Artifacts, err = s.cfg.Store.Artifacts(ctx, id); err != nil {
		return m, err
	}
	if manifest, err := s.cfg.Catalog.Manifest(ctx, m.X.Digest); err == nil { // a version that is gone says nothing any more
		m.Unsandboxed = manifest.Capabilities.Unsandboxed()
	}
	intents, err := dispatch.Intents(ctx, s.cfg.Store, m.X)
	if err != nil {
		return m, err
	}
	for _, i := range intents {
		m.Intents = append(m.Intents, views.Pair{Label: i.Op, Text: i.Message})
	}
	m.Facts = executionFacts(m.X, m.Run)
	if err := s.readResult(ctx, &m); err != nil {
		return m, err
	}
	return m, s.readLog(ctx, &m)
}

func (s *Web) readLog(ctx context.Context, m *views.Execution) (err error) {
	m.Log, m.LogFrom, err = s.logTail(ctx, m.X.ID)
	if n := len(m.Log); n > 0 {
		m.LogSeq = m.Log[n-1].Seq
	}
	return err
}

func (s *Web) readResult(ctx context.Context, m *views.Execution) error {
	if m.X.Response == nil {
		return nil
	}
	var res spec.Response
	if err := json.Unmarshal(m.X.Response, &res); err != nil {
		m.Result = &views.Result{JSON: string(m.X.Response), Message: "The recorded response cannot be read."}
		return nil
	}
	out := &views.Result{
		StatusCode: res.StatusCode, Message: res.Message, Good: res.StatusCode >= 200 && res.StatusCode < 300,
		Value: views.ValueOf(res.Result), JSON: views.Pretty(m.X.Response),
	}
	if res.Error != nil {
		out.ErrorCode = res.Error.Code
	}
	for _, name := range sortedKeys(res.Metrics) {
		out.Metrics = append(out.Metrics, views.Pair{Label: name, Text: strconv.FormatFloat(res.Metrics[name], 'g', 6, 64)})
	}
	named, err := s.cfg.Store.Results(ctx, m.X.ID)
	if err != nil {
		return err
	}
	for _, n := range named {
		out.Named = append(out.Named, views.Named{Name: n.Name, Value: views.ValueOf(n.Value), JSON: views.Pretty(n.Value)})
	}
	for _, op := range res.Data {
		switch op.Type {
		case spec.OpFile:
			out.Files = append(out.Files, views.Pair{Label: "File", Text: op.Name + " on " + m.X.AgentName})
		case spec.OpCache:
			out.Files = append(out.Files, views.Pair{Label: "Cache", Text: "plugin/" + m.X.Plugin + "/" + op.Name})
		}
	}
	m.Result = out
	return nil
}

func executionFacts(x octopus.Execution, run octopus.Run) (out []views.Pair) {
	add := func(label, text string) { out = append(out, views.Pair{Label: label, Text: text}) }
	add("Plugin", x.Plugin+" "+x.PluginVersion)
	add("Where", views.TargetWords(run.Target))
	if x.AgentName != "" {
		add("Agent", x.AgentName)
	}
	if x.MaxAttempts > 1 || x.Attempt > 1 {
		attempt := strconv.Itoa(x.Attempt)
		if x.Attempt <= x.MaxAttempts { // one that never started is followed by more than were asked for
			attempt += " of " + strconv.Itoa(x.MaxAttempts)
		}
		add("Attempt", attempt)
	}
	add("Timeout", views.Span(x.Timeout))
	u := x.Usage
	if u.GuestTime > 0 {
		add("In the sandbox", views.Span(u.GuestTime))
	}
	if u.PeakMemory > 0 {
		add("Peak memory", views.Bytes(u.PeakMemory)+" of "+views.Bytes(x.Memory))
	}
	switch {
	case u.Fuel > 0 && x.Fuel > 0 && u.FuelAtLeast:
		add("Fuel", "at least "+views.Count(u.Fuel)+" of "+views.Count(x.Fuel))
	case u.Fuel > 0 && x.Fuel > 0:
		add("Fuel", views.Count(u.Fuel)+" of "+views.Count(x.Fuel))
	case x.Fuel > 0:
		add("Fuel", "at most "+views.Count(x.Fuel))
	}
	if u.HostCalls > 0 {
		add("Host calls", strconv.Itoa(u.HostCalls))
	}
	if u.OutputBytes+u.LogBytes > 0 {
		add("Output", views.Bytes(u.OutputBytes)+", log "+views.Bytes(u.LogBytes))
	}
	out = append(out, sandboxFacts(x.Sandbox, x.Repeat)...)
	if x.CancelledBy != "" {
		add("Cancelled by", x.CancelledBy)
	}
	return out
}
