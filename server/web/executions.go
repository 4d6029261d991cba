package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/views"
)

// pageSize is how many rows a list shows.
const pageSize = 50

// defaultWindow is how far back lists look unless asked otherwise. It is shown as a filter.
const defaultWindow = "7d"

func (s *Web) executionRoutes(r chi.Router) {
	r.Get("/executions", s.page(s.executions))
	r.Get("/runs", s.page(s.runs))
	r.Get("/executions/{id}", s.page(s.executionPage))
	r.Get("/runs/{id}", s.page(s.runOrExecution))
	r.Get("/executions/{id}/log", s.page(s.logJSON))
	r.Get("/executions/{id}/log.txt", s.page(s.logText))
	r.Get("/executions/{id}/result.json", s.page(s.resultJSON))
	r.Get("/executions/{id}/artifacts/{name}", s.page(s.artifact))
	r.Post("/executions/{id}/{verb}", s.page(s.executionVerb))
	r.Post("/runs/{id}/{verb}", s.page(s.runVerb))
}

// listFilter is what the address of a list says.
type listFilter struct {
	query    url.Values // only what narrows: no cursor
	statuses []string
	since    string // "24h", "7d" … or "all"
	task     string
	run      string
	agent    string
	plugin   string
	by       string
	text     string
}

func readFilter(q url.Values) listFilter {
	f := listFilter{
		query: url.Values{}, since: defaultWindow, task: q.Get("task"), run: q.Get("run"), agent: q.Get("agent"),
		plugin: q.Get("plugin"), by: q.Get("by"), text: strings.TrimSpace(q.Get("text")),
	}
	if v := q.Get("created_since"); v != "" {
		f.since = v
	}
	for part := range strings.SplitSeq(q.Get("status"), ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(f.statuses, part) {
			f.statuses = append(f.statuses, part)
		}
	}
	for _, key := range []string{"status", "created_since", "task", "run", "agent", "plugin", "by", "text"} {
		if v := strings.TrimSpace(q.Get(key)); v != "" {
			f.query.Set(key, v)
		}
	}
	return f
}

// windows are the choices of how far back.
var windows = []struct{ value, label string }{
	{"1h", "Last hour"}, {"24h", "Last 24 hours"}, {"7d", "Last 7 days"}, {"30d", "Last 30 days"}, {"all", "Any time"},
}

// created is the start of the window; zero is everything. A moment that cannot be read counts as the default.
func (f listFilter) created(now time.Time) time.Time {
	if f.since == "all" {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, f.since); err == nil {
		return t
	}
	if d, ok := window(f.since); ok {
		return now.Add(-d)
	}
	return now.Add(-7 * 24 * time.Hour)
}

func window(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text = days + "h"
		d, err := time.ParseDuration(text)
		return d * 24, err == nil && d > 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

func (f listFilter) executions(now time.Time) store.ExecutionFilter {
	out := store.ExecutionFilter{
		TaskID: f.task, RunID: f.run, AgentID: f.agent, Plugin: f.plugin, Text: f.text, CreatedSince: f.created(now),
	}
	for _, v := range f.statuses {
		if st := octopus.Status(v); st.Valid() {
			out.Statuses = append(out.Statuses, st)
		}
	}
	return out
}

func (f listFilter) runs(now time.Time) store.RunFilter {
	out := store.RunFilter{TaskID: f.task, Plugin: f.plugin, CreatedBy: f.by, CreatedSince: f.created(now), Text: f.text}
	for _, v := range f.statuses {
		out.Statuses = append(out.Statuses, octopus.RunStatus(v))
	}
	return out
}

// with returns the address of the same list with a key changed; "" removes it.
func (f listFilter) with(path, key, value string) string {
	q := maps.Clone(f.query)
	q.Set(key, value)
	if value == "" {
		q.Del(key)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + strings.ReplaceAll(q.Encode(), "%2C", ",")
}

// statusLinks are chips that add or remove a state.
func (f listFilter) statusLinks(path string, all []string) (out []views.Link) {
	for _, st := range all {
		on := slices.Contains(f.statuses, st)
		rest := slices.DeleteFunc(slices.Clone(f.statuses), func(v string) bool { return v == st })
		if !on {
			rest = append(rest, st)
		}
		out = append(out, views.Link{Label: strings.ReplaceAll(st, "_", " "), Href: f.with(path, "status", strings.Join(rest, ",")), Current: on})
	}
	return out
}

// filterLinks are the other filters in force, each with the address of the list without it.
func (f listFilter) filterLinks(path string) (out []views.Link) {
	for _, x := range []struct{ key, value string }{
		{"task", f.task}, {"run", f.run}, {"agent", f.agent}, {"plugin", f.plugin}, {"by", f.by}, {"text", f.text},
	} {
		if x.value != "" {
			out = append(out, views.Link{Label: x.key + ": " + x.value, Href: f.with(path, x.key, ""), Current: true})
		}
	}
	return out
}

// executionsModel is the part that runs and executions have in common.
func (s *Web) listModel(w http.ResponseWriter, r *http.Request, path, topic string) (views.Executions, listFilter, store.Page) {
	q := r.URL.Query()
	f := readFilter(q)
	p := store.Page{Limit: pageSize, Cursor: q.Get("cursor"), Descending: true}
	m := views.Executions{Search: f.text, Closed: p.Cursor != "", IsRuns: path == "/runs"}
	m.Page = s.frame(w, r, "runs", "Runs", topic)
	if len(f.query) > 0 {
		m.Events += "&" + f.query.Encode()
	}
	m.Crumbs = crumbs("Runs")
	m.Filters = f.filterLinks(path)
	m.Kinds = []views.Link{
		{Label: "Runs", Href: "/runs", Current: m.IsRuns}, {Label: "Executions", Href: "/executions", Current: !m.IsRuns},
	}
	for _, x := range windows {
		m.Window = append(m.Window, views.Option{Value: x.value, Label: x.label, Selected: x.value == f.since})
	}
	if !slices.ContainsFunc(m.Window, func(o views.Option) bool { return o.Selected }) {
		m.Window = append(m.Window, views.Option{Value: f.since, Label: "Since " + f.since, Selected: true})
	}
	for key := range f.query {
		if key != "created_since" && key != "text" {
			m.Hidden = append(m.Hidden, views.Option{Label: key, Value: f.query.Get(key)})
		}
	}
	return m, f, p
}

func (f listFilter) pages(path string, p store.Page, next string) (out views.Pages) {
	if next != "" {
		out.Next = f.with(path, "cursor", next)
	}
	if p.Cursor != "" {
		out.First = f.with(path, "cursor", "")
	}
	return out
}

func (s *Web) executions(w http.ResponseWriter, r *http.Request) error {
	m, f, p := s.listModel(w, r, "/executions", topicExecutions)
	var all []string
	for _, st := range octopus.Statuses {
		all = append(all, string(st))
	}
	m.Statuses = f.statusLinks("/executions", all)
	m.CLI = "octopus executions list" + cliFlag("status", strings.Join(f.statuses, ","))
	rows, next, err := s.cfg.Store.Executions(r.Context(), f.executions(s.now()), p)
	if err != nil {
		return err
	}
	m.Rows, m.Pages = rows, f.pages("/executions", p, next)
	return s.render(w, r, http.StatusOK, views.ExecutionsPage(m))
}

func (s *Web) runs(w http.ResponseWriter, r *http.Request) error {
	m, f, p := s.listModel(w, r, "/runs", topicRuns)
	m.Statuses = f.statusLinks("/runs", []string{"queued", "running", "succeeded", "failed", "cancelled"})
	m.CLI = "octopus runs list" + cliFlag("status", strings.Join(f.statuses, ","))
	rows, next, err := s.cfg.Store.Runs(r.Context(), f.runs(s.now()), p)
	if err != nil {
		return err
	}
	m.Runs, m.Pages = rows, f.pages("/runs", p, next)
	return s.render(w, r, http.StatusOK, views.ExecutionsPage(m))
}
