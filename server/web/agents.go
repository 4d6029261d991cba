package web

import (
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
	"octopus/views"
)

func (s *Web) agentRoutes(r chi.Router) {
	r.Get("/agents", s.page(s.agents))
	r.Get("/agents/new", s.page(s.addAgent))
	r.Post("/agents/new", s.page(s.makeJoinToken))
	r.Get("/agents/{id}", s.page(s.agentPage))
	r.Post("/agents/{id}", s.page(s.renameAgent))
	r.Post("/agents/{id}/{verb}", s.page(s.agentVerb))
}

func (s *Web) agents(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	m := views.Agents{Search: strings.TrimSpace(q.Get("text")), Selector: strings.TrimSpace(q.Get("selector")), AsTable: q.Get("view") != "tiles"}
	topic := topicAgents
	if !m.AsTable {
		topic = topicTiles
	}
	m.Page = s.frame(w, r, "agents", "Agents", topic)
	m.Crumbs, m.CLI = crumbs("Agents"), "octopus agents list"
	m.Kinds = []views.Link{
		{Label: "Table", Icon: "list-checks", Href: changed("/agents", q, "view", ""), Current: m.AsTable},
		{Label: "Tiles", Icon: "layers", Href: changed("/agents", q, "view", "tiles"), Current: !m.AsTable},
	}
	for _, st := range []string{"online", "offline", "disabled"} {
		on := q.Get("status") == st
		to := st
		if on {
			to = ""
		}
		m.Chips = append(m.Chips, views.Link{Label: st, Href: changed("/agents", q, "status", to), Current: on})
	}
	f := store.AgentFilter{Text: m.Search, Selector: m.Selector, Status: octopus.AgentStatus(q.Get("status"))}
	p := store.Page{Limit: pageSize, Cursor: q.Get("cursor")}
	if !m.AsTable {
		p.Limit = 200
	}
	list, next, err := s.cfg.Store.Agents(ctx, f, p)
	if code := octopus.CodeOf(err); code == octopus.CodeInvalid || code == octopus.CodeMalformed {
		m.Problem, err = octopus.Sentence(err), nil
	}
	if err != nil {
		return err
	}
	m.Any = len(list) > 0 || len(q) > 0
	if next != "" {
		m.Pages.Next = changed("/agents", q, "cursor", next)
	}
	if q.Get("cursor") != "" {
		m.Pages.First = changed("/agents", q, "cursor", "")
	}
	if m.Tiles, err = s.tiles(ctx, list); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.AgentsPage(m))
}

func (s *Web) agentPage(w http.ResponseWriter, r *http.Request) error {
	return s.showAgent(w, r, http.StatusOK, nil)
}

// showAgent is an agent's page; with typed, its name and labels are what was typed and refused.
func (s *Web) showAgent(w http.ResponseWriter, r *http.Request, status int, typed *views.Rename) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	a, err := s.cfg.Store.Agent(ctx, id)
	if err != nil {
		return err
	}
	frame := s.frame(w, r, "agents", a.Name, topicAgent+a.ID, topicExecutions)
	frame.Events += "&" + url.Values{"agent": {a.ID}, "created_since": {"all"}}.Encode()
	if a, err = s.cfg.Store.Agent(ctx, a.ID); err != nil {
		return err
	}
	m := views.Agent{Page: frame, Labels: views.LabelList(a.Labels), Policy: a.Facts.Policy, Facts: agentFacts(a)}
	m.Crumbs, m.CLI = crumbs("Agents", "/agents", a.Name), "octopus agents get "+a.Name
	if m.Running, err = s.runningOn(ctx, a.ID); err != nil {
		return err
	}
	m.Tile = s.tile(a, m.Running)
	m.Rename = views.Rename{Name: a.Name, Labels: strings.Join(m.Labels, ", ")}
	if typed != nil {
		m.Rename = *typed
	}
	if m.Sessions, err = s.cfg.Store.AgentSessions(ctx, a.ID, 10); err != nil {
		return err
	}
	if m.Recent, _, err = s.cfg.Store.Executions(ctx, store.ExecutionFilter{AgentID: a.ID}, store.Page{Limit: 20, Descending: true}); err != nil {
		return err
	}
	tasks, _, err := s.cfg.Store.Tasks(ctx, store.TaskFilter{}, store.Page{Limit: 200})
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.Enabled {
			m.Tasks = append(m.Tasks, views.Option{Value: t.ID, Label: t.Name})
		}
	}
	return s.render(w, r, status, views.AgentPage(m))
}

func agentFacts(a octopus.Agent) (out []views.Pair) {
	add := func(label, text string) {
		if text != "" && text != "0" && text != "/" {
			out = append(out, views.Pair{Label: label, Text: text})
		}
	}
	f := a.Facts
	add("Connected by", f.Connection())
	add("Host name", f.Hostname)
	add("Platform", f.Platform)
	add("System", f.OS+"/"+f.Arch)
	add("Kernel", f.Kernel)
	add("Runs as", f.User)
	add("Addresses", strings.Join(f.Addresses, ", "))
	add("CPUs", strconv.Itoa(f.CPUs))
	if f.MemoryBytes > 0 {
		add("Memory", views.Bytes(f.MemoryBytes))
	}
	add("Slots", strconv.Itoa(a.Slots))
	if len(f.Commands) > 0 {
		add("Commands", strings.Join(f.Commands, ", ")+" (unsandboxed)")
	}
	if f.Scripts {
		add("Scripts", "allowed (unsandboxed)")
	}
	add("Agent", f.AgentVersion)
	add("Joined with", a.EnrolledBy)
	return out
}

// agentVerb changes what an agent may do.
func (s *Web) agentVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, id, verb := r.Context(), chi.URLParam(r, "id"), chi.URLParam(r, "verb")
	if verb == "run" {
		return s.runHere(w, r, id)
	}
	if err := allow(r, auth.AgentManage); err != nil {
		return err
	}
	back := "/agents/" + id
	change := func(done string, f func(*octopus.Agent) error) error {
		if _, err := s.cfg.Store.UpdateAgent(ctx, id, f); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", done)
	}
	switch verb {
	case "enable":
		return change("Enabled.", func(a *octopus.Agent) error { a.Enabled = true; return nil })
	case "disable":
		return change("Disabled: it is disconnected and takes no work.", func(a *octopus.Agent) error { a.Enabled = false; return nil })
	case "drain":
		return change("Draining: it finishes what it has and takes nothing new.", func(a *octopus.Agent) error { a.Drained = true; return nil })
	case "undrain":
		return change("It takes work again.", func(a *octopus.Agent) error { a.Drained = false; return nil })
	case "restart":
		if err := s.cfg.Dispatch.RestartAgent(ctx, id, subject(r).Username); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Told to restart. It comes back in a moment.")
	case "remove":
		if err := s.cfg.Store.RemoveAgent(ctx, id); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, "/agents", "ok", "Removed. Its key is refused from now on.")
	}
	return s.notFound(w, r)
}

// renameAgent saves name and labels, or shows the page again with what was typed and what is wrong with it.
func (s *Web) renameAgent(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.AgentManage); err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	typed := views.Rename{Name: strings.TrimSpace(r.FormValue("name")), Labels: r.FormValue("labels")}
	labels, err := parseLabels(typed.Labels)
	if err != nil {
		typed.LabelsError = octopus.Sentence(err)
	}
	if err := octopus.CheckAgentName(typed.Name); err != nil {
		typed.NameError = octopus.Sentence(err)
	}
	if typed.NameError+typed.LabelsError != "" {
		return s.showAgent(w, r, http.StatusUnprocessableEntity, &typed)
	}
	if _, err = s.cfg.Store.UpdateAgent(r.Context(), id, func(a *octopus.Agent) error {
		a.Name, a.Labels = typed.Name, labels
		return nil
	}); err != nil {
		if octopus.CodeOf(err) != octopus.CodeConflict {
			return err
		}
		typed.NameError = octopus.Sentence(err) // another has it
		return s.showAgent(w, r, statusOf(err), &typed)
	}
	return redirect(w, r, "/agents/"+id, "ok", "Saved.")
}

// runHere runs a saved task on one agent, whatever its own target says.
func (s *Web) runHere(w http.ResponseWriter, r *http.Request, id string) error {
	if err := allow(r, auth.RunTask); err != nil {
		return err
	}
	back := "/agents/" + id
	t, err := s.cfg.Store.Task(r.Context(), r.FormValue("task"))
	if err != nil {
		return said(w, r, back, err)
	}
	work := t.Work
	work.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: id}
	run, _, err := s.cfg.Dispatch.Submit(r.Context(), dispatch.Submission{
		Work: work, Task: &t, Labels: t.Labels, By: subject(r).Username, Source: source,
	})
	if err != nil {
		return said(w, r, back, err)
	}
	return redirect(w, r, "/runs/"+run.ID, "", "")
}

func (s *Web) addAgent(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.AgentManage); err != nil {
		return err
	}
	return s.showAddAgent(w, r, http.StatusOK, views.AddAgent{Count: "1"})
}

func (s *Web) showAddAgent(w http.ResponseWriter, r *http.Request, status int, m views.AddAgent) error {
	var topics []string
	if m.Token != nil {
		topics = []string{topicJoined + m.Token.Name}
	}
	m.Page = s.frame(w, r, "agents", "Add an agent", topics...)
	m.Crumbs = crumbs("Agents", "/agents", "Add an agent")
	m.CLI = "octopus agents tokens create --uses " + shellWord(m.Count)
	if labels, err := parseLabels(m.Labels); err == nil {
		for _, l := range views.LabelList(labels) {
			m.CLI += " --label " + shellWord(l)
		}
	}
	return s.render(w, r, status, views.AddAgentPage(m))
}

// makeJoinToken answers the form with the lines to paste. The secret is shown in this one answer only, so there is
// no redirect after the POST.
func (s *Web) makeJoinToken(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.AgentManage); err != nil {
		return err
	}
	m := views.AddAgent{Count: strings.TrimSpace(r.FormValue("count")), Labels: r.FormValue("labels")}
	n, err := strconv.Atoi(m.Count)
	labels, labelErr := parseLabels(m.Labels)
	switch {
	case err != nil || n < 1 || n > 100000:
		m.Problem = "Say how many machines: a whole number from 1 to 100,000."
	case labelErr != nil:
		m.Problem = octopus.Sentence(labelErr)
	}
	if m.Problem != "" {
		return s.showAddAgent(w, r, http.StatusUnprocessableEntity, m)
	}
	token, secret, err := s.cfg.Auth.CreateJoinToken(r.Context(), subject(r), "", labels, n, 0)
	if err != nil {
		return err
	}
	m.Token, m.Secret = &token, secret
	m.Unix, m.Windows, m.Manual = joinLines(s.cfg.PublicURL, secret)
	m.Warning = joinWarning(s.cfg.PublicURL)
	return s.showAddAgent(w, r, http.StatusOK, m)
}

// joinWarning says which machines the lines do not work on: those that cannot reach a server on loopback, and
// those that would send a secret in the clear.
func joinWarning(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Hostname() == "localhost" || ip != nil && ip.IsLoopback():
		return "This server answers at " + server + ", which only this machine can reach. For others, start it with octopus server --listen :8443 --tls-cert cert.pem --tls-key key.pem --public-url https://its-name:8443."
	case u.Scheme == "http":
		return "This server speaks plain http, which anyone on the way can read. Give it a certificate (--tls-cert, --tls-key), or add --insecure to the line if you accept that."
	}
	return ""
}

// joinLines are what is pasted on a machine.
func joinLines(server, secret string) (unix, windows, manual string) {
	unix = "curl -fsSL " + server + "/install.sh | sh -s -- --token " + secret
	windows = "& ([scriptblock]::Create((irm " + server + "/install.ps1))) -Token " + secret
	binary := "octopus"
	if runtime.GOOS == "windows" {
		binary = "octopus.exe"
	}
	return unix, windows, binary + " agent --server " + server + " --token " + secret
}
