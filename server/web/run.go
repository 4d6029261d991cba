package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
	"octopus/views"
)

// source is written into runs that start here.
const source = "ui"

func (s *Web) runRoutes(r chi.Router) {
	r.Get("/run", s.page(s.runPage))
	r.Post("/run", s.page(s.runNow))
	r.Get("/run/form", s.page(s.runFields))
	r.Get("/run/choices", s.page(s.choices))
	r.Get("/parts/matching", s.page(s.matchingPart))
	r.Get("/parts/version", s.page(s.versionPart))
}

// pick lists what can be run, narrowed by words that name, description or examples must have.
func (s *Web) pick(ctx context.Context, query, current string) ([]views.Choice, error) {
	plugins, err := s.cfg.Store.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(query))
	var out []views.Choice
	for _, p := range plugins {
		if !p.Enabled {
			continue
		}
		v, err := s.cfg.Catalog.Resolve(ctx, p.Name, "")
		if err != nil {
			continue // all its versions are disabled or revoked
		}
		m, err := s.cfg.Catalog.Manifest(ctx, v.Digest)
		if err != nil {
			return nil, err
		}
		for _, a := range m.Actions {
			if !matches(words, m, a) {
				continue
			}
			q := url.Values{"plugin": {p.Name}, "action": {a.Name}}
			out = append(out, views.Choice{
				Plugin: p.Name, Action: a.Name, Description: cmp.Or(a.Description, p.Description),
				Href: "/run?" + q.Encode(), Current: p.Name == current, Icon: iconFor(p.Name),
			})
		}
	}
	return out, nil
}

// iconFor tells well-known kinds of plugins apart at a glance.
func iconFor(plugin string) string {
	for _, known := range []struct{ part, icon string }{
		{"http", "external-link"}, {"disk", "hard-drive"}, {"dns", "git-branch"}, {"tls", "lock"}, {"tcp", "link"},
		{"system", "cpu"}, {"echo", "terminal"}, {"noop", "zap"}, {"backup", "database"}, {"fetch", "download"}, {"grep", "search"}, {"notify", "send"}, {"incident", "triangle-alert"},
		{"exec", "terminal"}, {"script", "terminal"}, {"sql", "database"},
	} {
		if strings.Contains(plugin, known.part) {
			return known.icon
		}
	}
	return "puzzle"
}

func matches(words []string, m spec.Manifest, a spec.Action) bool {
	text := strings.ToLower(m.Name + " " + m.Description + " " + a.Name + " " + a.Description + " " + strings.Join(a.Examples, " "))
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// forTask makes choices of what runs now into choices of what a new task runs.
func forTask(list []views.Choice) []views.Choice {
	for i := range list {
		list[i].Href, list[i].Task = strings.Replace(list[i].Href, "/run?", "/tasks/new?", 1), true
	}
	return list
}

func (s *Web) choices(w http.ResponseWriter, r *http.Request) error {
	list, err := s.pick(r.Context(), r.FormValue("q"), "")
	if err != nil {
		return err
	}
	if r.FormValue("for") == "task" {
		list = forTask(list)
	}
	return s.render(w, r, http.StatusOK, views.Choices(list))
}

// formOf is the form that a page opens with: fresh, or filled with what ran before.
func (s *Web) formOf(r *http.Request) (chosen, workForm, error) {
	ctx := r.Context()
	if from := r.FormValue("from"); from != "" {
		work, err := s.workOf(ctx, from)
		if err != nil {
			return chosen{}, workForm{}, err
		}
		c, err := s.choose(ctx, work.Plugin, "", work.Action)
		work.Version = ""
		return c, fromWork(c, work), err
	}
	c, err := s.choose(ctx, r.FormValue("plugin"), r.FormValue("version"), r.FormValue("action"))
	f := workForm{work: octopus.Work{Version: r.FormValue("version"), Action: c.action.Name}}
	if agent := r.FormValue("agent"); agent != "" && err == nil {
		f.work.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: agent}
	}
	return c, f, err
}

// workOf is what a run or an execution did.
func (s *Web) workOf(ctx context.Context, id string) (octopus.Work, error) {
	if octopus.ValidID(octopus.PrefixExecution, id) {
		x, err := s.cfg.Store.Execution(ctx, id)
		if err != nil {
			return octopus.Work{}, err
		}
		id = x.RunID
	}
	run, err := s.cfg.Store.Run(ctx, id)
	return run.Work, err
}

func (s *Web) runPage(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.RunAdhoc); err != nil {
		return err
	}
	m := views.RunForm{Page: s.frame(w, r, "runs", "Run something")}
	m.Crumbs = crumbs("Runs", "/runs", "Run something")
	if r.FormValue("plugin") != "" || r.FormValue("from") != "" {
		c, f, err := s.formOf(r)
		if err != nil {
			return err
		}
		if m.Work, err = s.workView(r, c, f); err != nil {
			return err
		}
		m.CLI = "octopus run " + c.version.Plugin
	}
	return s.showRun(w, r, http.StatusOK, m)
}

func (s *Web) showRun(w http.ResponseWriter, r *http.Request, status int, m views.RunForm) error {
	current := ""
	if m.Work != nil {
		current = m.Work.Plugin
	}
	var err error
	if m.Choices, err = s.pick(r.Context(), "", current); err != nil {
		return err
	}
	return s.render(w, r, status, views.RunPage(m))
}

func (s *Web) runFields(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.RunAdhoc); err != nil {
		return err
	}
	c, f, err := s.formOf(r)
	if err != nil {
		return err
	}
	m, err := s.workView(r, c, f)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.RunFields(*m))
}

func (s *Web) runNow(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.RunAdhoc); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return malformed(err)
	}
	c, err := s.choose(r.Context(), r.PostForm.Get("plugin"), r.PostForm.Get("version"), r.PostForm.Get("action"))
	if err != nil {
		return err
	}
	f := readWork(r, c)
	status := http.StatusUnprocessableEntity
	if len(f.problems) == 0 {
		run, _, err := s.cfg.Dispatch.Submit(r.Context(), dispatch.Submission{Work: f.work, By: subject(r).Username, Source: source})
		if err == nil {
			return redirect(w, r, "/runs/"+run.ID, "", "")
		}
		if !f.refused(err) {
			return err
		}
		status = statusOf(err)
	}
	m := views.RunForm{Page: s.frame(w, r, "runs", "Run something")}
	m.Crumbs = crumbs("Runs", "/runs", "Run something")
	if m.Work, err = s.workView(r, c, f); err != nil {
		return err
	}
	return s.showRun(w, r, status, m)
}

// matchingPart counts the agents that a selector and a level of sandbox mean, while they are chosen.
func (s *Web) matchingPart(w http.ResponseWriter, r *http.Request) error {
	agents, _, err := s.cfg.Store.Agents(r.Context(), store.AgentFilter{}, store.Page{Limit: store.MaxLimit})
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.Text(s.matching(agents, r.FormValue("target.selector"), octopus.SandboxLevel(r.FormValue("sandbox")))))
}

// malformed is a form that cannot be read at all; one that is too large stays what it is.
func malformed(err error) error {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return err
	}
	return octopus.Errorf(octopus.CodeMalformed, "The form could not be read. Go back and send it again.")
}
