package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/views"
)

// maxDraft caps each file of a draft, in bytes: what the engine and the catalogue take at most.
const maxDraft = 1 << 20

func (s *Web) scriptRoutes(r chi.Router) {
	r.Get("/drafts/new", s.page(s.newScript))
	r.Post("/drafts", s.page(s.createDraft))
	r.Get("/drafts/{id}", s.page(s.draftPage))
	r.Post("/drafts/{id}/save", s.page(s.saveDraft))
	r.Post("/drafts/{id}/delete", s.page(s.deleteDraft))
	r.Post("/drafts/{id}/{verb}", s.page(s.lookAtDraft))
}

func (s *Web) newScript(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	return s.showNewScript(w, r, http.StatusOK, "")
}

func (s *Web) showNewScript(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	m := views.NewScript{Page: s.frame(w, r, "plugins", "New script plugin"), Name: r.FormValue("name"), Problem: problem}
	m.Crumbs, m.CLI = crumbs("Plugins", "/plugins", "New script plugin"), "octopus plugins new --lang js NAME"
	for i, t := range catalog.ScriptTemplates() {
		chosen := r.FormValue("template") == t.Key || r.FormValue("template") == "" && i == 0
		m.Templates = append(m.Templates, views.ScriptTemplate{Key: t.Key, Title: t.Title, About: t.About, Needs: t.Needs, Chosen: chosen})
	}
	return s.render(w, r, status, views.NewScriptPage(m))
}

func (s *Web) createDraft(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	name := strings.TrimSpace(r.FormValue("name"))
	script, ok := catalog.NewScript(r.FormValue("template"), name)
	switch {
	case !catalog.ValidName(name):
		return s.showNewScript(w, r, http.StatusUnprocessableEntity, "A plugin's name is 2 to 63 lower-case letters, digits and dashes, as in disk-usage.")
	case !ok:
		return s.showNewScript(w, r, http.StatusUnprocessableEntity, "Choose one of the templates.")
	}
	d, err := s.cfg.Store.CreateDraft(r.Context(), octopus.Draft{
		ID: octopus.NewID(octopus.PrefixDraft, s.now()), UserID: subject(r).UserID, Name: name, Script: script.Source, Manifest: script.Manifest,
	})
	if err != nil {
		return said(w, r, "/submissions", err)
	}
	return redirect(w, r, "/drafts/"+url.PathEscape(d.ID), "", "")
}

// draft finds one of the viewer's own drafts.
func (s *Web) draft(r *http.Request) (octopus.Draft, error) {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return octopus.Draft{}, err
	}
	return s.cfg.Store.Draft(r.Context(), subject(r).UserID, chi.URLParam(r, "id"))
}

func scriptOf(d octopus.Draft) catalog.Script {
	return catalog.Script{Source: d.Script, Manifest: d.Manifest}
}

func (s *Web) draftPage(w http.ResponseWriter, r *http.Request) error {
	d, err := s.draft(r)
	if err != nil {
		return err
	}
	example, _ := scriptOf(d).Example()
	m := views.Draft{Draft: d, Try: views.TryForm{Action: example.Action, Params: indented(example.Params), Fakes: example.Fakes}}
	return s.showDraft(w, r, http.StatusOK, m)
}

func indented(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return "{}"
	}
	return pretty(v)
}

// pretty is JSON for people: < stays what it is.
func pretty(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return "" // what was decoded can be encoded
	}
	return strings.TrimSpace(out.String())
}

func (s *Web) showDraft(w http.ResponseWriter, r *http.Request, status int, m views.Draft) error {
	m.Page = s.frame(w, r, "plugins", "Script plugin")
	m.Crumbs, m.CLI = crumbs("Plugins", "/plugins", "Submissions", "/submissions", "Script plugin"), "octopus plugins submit FOLDER"
	_, m.Actions = scriptOf(m.Draft).Example()
	return s.render(w, r, status, views.DraftPage(m))
}

// typed is the draft as the form has it. Browsers send lines that end as on Windows.
func (s *Web) typed(r *http.Request) (d octopus.Draft, changed bool, err error) {
	stored, err := s.draft(r)
	if err != nil {
		return stored, false, err
	}
	d = stored
	d.Script, d.Manifest = unix(r.PostFormValue("script")), unix(r.PostFormValue("manifest"))
	if len(d.Script) > maxDraft || len(d.Manifest) > maxDraft {
		return d, false, octopus.Errorf(octopus.CodeTooLarge, "A script and its manifest may have 1 MiB each. Nothing was saved.")
	}
	if d.Script == stored.Script && d.Manifest == stored.Manifest {
		return stored, false, nil
	}
	d.Name = scriptOf(d).Name()
	d.Revision, err = strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil {
		return d, false, octopus.Errorf(octopus.CodeMalformed, "The form has no revision. Load the page again.")
	}
	return d, true, nil
}

func unix(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// keep stores what was typed and tells the page its revision.
func (s *Web) keep(w http.ResponseWriter, r *http.Request) (octopus.Draft, error) {
	d, changed, err := s.typed(r)
	if err == nil && changed {
		d.Revision, err = s.cfg.Store.SaveDraft(r.Context(), d)
	}
	if err == nil {
		w.Header().Set("Octopus-Revision", strconv.FormatInt(d.Revision, 10))
	}
	return d, err
}

// saveDraft answers the page's own script: with the revision, or with the sentence why nothing was saved.
func (s *Web) saveDraft(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.keep(w, r); err != nil {
		if octopus.CodeOf(err) == octopus.CodeInternal {
			return err
		}
		return s.render(w, r, statusOf(err), views.Text(octopus.Sentence(err)))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Web) deleteDraft(w http.ResponseWriter, r *http.Request) error {
	d, err := s.draft(r)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.DeleteDraft(r.Context(), d.UserID, d.ID); err != nil {
		return said(w, r, "/submissions", err)
	}
	return redirect(w, r, "/submissions", "ok", "Deleted.")
}

// lookAtDraft saves what was typed, and validates, tests, tries or submits it.
func (s *Web) lookAtDraft(w http.ResponseWriter, r *http.Request) error {
	verb := chi.URLParam(r, "verb")
	look, ok := map[string]func(context.Context, *http.Request, octopus.Draft) (views.DraftOutcome, error){
		"validate": s.validateDraft, "test": s.testDraft, "try": s.tryDraft, "submit": nil,
	}[verb]
	if !ok {
		return s.notFound(w, r)
	}
	m := views.Draft{Note: unix(r.PostFormValue("note")), Try: views.TryForm{
		Action: r.PostFormValue("action"), Params: unix(r.PostFormValue("params")), Fakes: unix(r.PostFormValue("fakes")), DryRun: r.PostFormValue("dry_run") != "",
	}}
	var err error
	if m.Draft, err = s.keep(w, r); err == nil && verb == "submit" {
		return s.submitDraft(w, r, m)
	}
	if err == nil {
		m.Outcome, err = look(r.Context(), r, m.Draft)
	}
	return s.showOutcome(w, r, m, err)
}

// showOutcome answers with the outcome in place, or with the whole page where there are no scripts.
func (s *Web) showOutcome(w http.ResponseWriter, r *http.Request, m views.Draft, err error) error {
	status := http.StatusOK
	var e *octopus.Error
	if err != nil {
		if !errors.As(err, &e) || e.Code == octopus.CodeInternal || m.Draft.ID == "" {
			return err
		}
		status, m.Outcome = statusOf(err), problemOutcome(e)
	}
	if r.Header.Get("HX-Request") != "" {
		return s.render(w, r, http.StatusOK, views.DraftResult(m.Outcome))
	}
	return s.showDraft(w, r, status, m)
}

func problemOutcome(e *octopus.Error) views.DraftOutcome {
	o := views.DraftOutcome{Problem: e.Message}
	for _, f := range e.Fields {
		if f.Message != e.Message {
			o.Problems = append(o.Problems, views.Pair{Label: strings.TrimPrefix(f.Field, "/"), Text: f.Message})
		}
	}
	return o
}

func faultViews(faults []catalog.Fault) (out []views.DraftFault) {
	for _, f := range faults {
		out = append(out, views.DraftFault{File: f.File, Line: f.Line, Path: f.Path, Message: f.Message})
	}
	return out
}

func (s *Web) validateDraft(ctx context.Context, _ *http.Request, d octopus.Draft) (o views.DraftOutcome, err error) {
	faults, err := s.cfg.Catalog.CheckScript(ctx, scriptOf(d))
	if o.Faults = faultViews(faults); len(faults) == 0 {
		o.Good = "Script and manifest are valid. Test runs the cases of the manifest."
	}
	return o, err
}

func (s *Web) testDraft(ctx context.Context, _ *http.Request, d octopus.Draft) (o views.DraftOutcome, err error) {
	faults, checks, err := s.cfg.Catalog.TestScript(ctx, scriptOf(d))
	o.Faults, o.Checks = faultViews(faults), checks
	return o, err
}

func (s *Web) tryDraft(ctx context.Context, r *http.Request, d octopus.Draft) (o views.DraftOutcome, err error) {
	params := strings.TrimSpace(r.PostFormValue("params"))
	if params == "" {
		params = "{}"
	}
	if !json.Valid([]byte(params)) {
		return o, octopus.InvalidField("/params", "The parameters are not valid JSON.")
	}
	faults, t, err := s.cfg.Catalog.TryScript(ctx, scriptOf(d), catalog.Try{
		Action: r.PostFormValue("action"), Params: json.RawMessage(params), Fakes: unix(r.PostFormValue("fakes")), DryRun: r.PostFormValue("dry_run") != "",
	})
	if err != nil || len(faults) > 0 {
		o.Faults = faultViews(faults)
		return o, err
	}
	shown := views.Tried{
		Status: t.Response.StatusCode, OK: t.Response.StatusCode >= 200 && t.Response.StatusCode < 300, Message: t.Response.Message,
		Response: pretty(t.Response), Log: t.Log, Took: views.Span(t.Took), Memory: views.Bytes(int64(t.Memory)), Cut: t.Cut, Outside: t.Outside,
	}
	if t.Response.Error != nil {
		shown.ErrorCode = t.Response.Error.Code
	}
	for _, c := range t.Calls {
		shown.Calls = append(shown.Calls, views.TriedCall{Op: c.Op, Request: c.Request, Reply: c.Reply})
	}
	o.Tried = &shown
	return o, nil
}

// submitDraft packs a draft and sends it the way of every submission. The draft stays, for the next version.
func (s *Web) submitDraft(w http.ResponseWriter, r *http.Request, m views.Draft) error {
	faults, err := s.cfg.Catalog.CheckScript(r.Context(), scriptOf(m.Draft))
	if err != nil {
		return s.showOutcome(w, r, m, err)
	}
	if len(faults) > 0 {
		m.Outcome = views.DraftOutcome{Problem: "It was not submitted.", Faults: faultViews(faults)}
		return s.showDraft(w, r, http.StatusUnprocessableEntity, m)
	}
	module, err := scriptOf(m.Draft).Pack()
	if err != nil {
		return s.showOutcome(w, r, m, err)
	}
	sub, err := s.cfg.Catalog.Submit(r.Context(), module, m.Note, subject(r).Username)
	if err != nil {
		return s.showOutcome(w, r, m, err)
	}
	return s.submitted(w, r, sub)
}
