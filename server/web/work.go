package web

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/store"
	"octopus/views"
)

// chosen is a plugin's action with all that a form needs to know of it.
type chosen struct {
	version  octopus.PluginVersion
	manifest spec.Manifest
	action   spec.Action
	props    []property
}

// choose finds what a form is about. An empty action is the first one.
func (s *Web) choose(ctx context.Context, plugin, version, action string) (chosen, error) {
	v, err := s.cfg.Catalog.Resolve(ctx, plugin, version)
	if err != nil {
		return chosen{}, err
	}
	m, err := s.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return chosen{}, err
	}
	if action == "" && len(m.Actions) > 0 {
		action = m.Actions[0].Name
	}
	a, ok := m.Action(action)
	if !ok {
		return chosen{}, octopus.Errorf(octopus.CodeNotFound, "%s has no action %q. Choose another on its page.", plugin, action)
	}
	return chosen{version: v, manifest: m, action: a, props: properties(a.Params)}, nil
}

// workForm is what somebody typed: as work, and as it was typed.
type workForm struct {
	work     octopus.Work
	typed    url.Values        // nil: the form is fresh
	problems map[string]string // by JSON pointer, or input name for policies
	problem  string            // about the whole
}

// readWork reads the part of a form that run and task forms share.
func readWork(r *http.Request, c chosen) workForm {
	form := r.PostForm
	params, problems := decodeParams(c.props, form)
	f := workForm{typed: form, problems: problems, work: octopus.Work{
		Plugin: c.version.Plugin, Version: strings.TrimSpace(form.Get("version")), Action: c.action.Name, Params: params,
		Target: octopus.Target{
			Mode: octopus.TargetMode(form.Get("target")), Agent: form.Get("target.agent"),
			Selector: strings.TrimSpace(form.Get("target.selector")),
		},
	}}
	f.work.Target.Count = f.whole("target.count", "target", 1, 10000)
	switch f.work.Target.Mode {
	case octopus.TargetAgent:
		f.work.Target.Selector, f.work.Target.Count = "", 0
	case octopus.TargetAll:
		f.work.Target.Agent, f.work.Target.Count = "", 0
	default:
		f.work.Target.Mode, f.work.Target.Agent = octopus.TargetAny, ""
	}
	f.work.MaxAttempts = f.whole("attempts", "attempts", 1, 100)
	f.work.Priority = f.whole("priority", "priority", -1000, 1000)
	f.work.OnLost = octopus.OnLost(form.Get("on_lost"))
	f.work.Timeout = f.duration("timeout")
	f.work.DryRun = form.Get("dry_run") == "on"
	f.work.Fuel = f.amount("fuel")
	f.work.Sandbox = octopus.SandboxLevel(form.Get("sandbox"))
	f.work.Clock, f.work.Seed = f.moment("clock"), f.seed("seed")
	if err := octopus.CheckSandbox(f.work.Sandbox); err != nil {
		f.problems["sandbox"] = octopus.Sentence(err)
	}
	return f
}

func (f *workForm) whole(name, field string, least, most int) int {
	text := strings.TrimSpace(f.typed.Get(name))
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		f.problems[field] = "This must be a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + "."
		return 0
	}
	return n
}

// amount reads a number of any size, which may have spaces between its digits.
func (f *workForm) amount(name string) uint64 {
	text := strings.NewReplacer(" ", "", "\u202f", "", "_", "").Replace(strings.TrimSpace(f.typed.Get(name)))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		f.problems[name] = "This must be a whole number such as 1000000000."
		return 0
	}
	return uint64(n)
}

// moment reads a time with its zone; zero is none.
func (f *workForm) moment(name string) time.Time {
	text := strings.TrimSpace(f.typed.Get(name))
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.problems[name] = "This must be a time such as 2026-01-01T00:00:00Z."
	} else if err := octopus.CheckClock(at); err != nil {
		f.problems[name] = octopus.Sentence(err)
	}
	return at.UTC()
}

// seed reads a number of 64 bits; nil is none.
func (f *workForm) seed(name string) *uint64 {
	text := strings.TrimSpace(f.typed.Get(name))
	if text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		f.problems[name] = "This must be a whole number, at least 0."
	}
	return &n
}

// duration reads "90s", "5m", or a number of seconds.
func (f *workForm) duration(name string) time.Duration {
	text := strings.TrimSpace(f.typed.Get(name))
	if text == "" {
		return 0
	}
	if isInteger(text) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		f.problems[name] = "This must be a time such as 90s or 5m."
		return 0
	}
	return d
}

// refused notes why the dispatcher or the store did not take the work. It reports whether err was about the form.
func (f *workForm) refused(err error) bool {
	var e *octopus.Error
	if !errors.As(err, &e) || e.Code == octopus.CodeInternal {
		return false
	}
	if f.problems == nil {
		f.problems = make(map[string]string)
	}
	placed := len(e.Fields) > 0
	for _, field := range e.Fields {
		at := field.Field
		switch name := strings.TrimPrefix(at, "/"); {
		case strings.HasPrefix(at, "/params/"):
		case strings.HasPrefix(at, "/target"):
			at = "target"
		case name == "version", name == "name", name == "folder", name == "description", name == "labels", name == "sandbox", name == "clock":
			at = name
		default:
			placed = false
		}
		if f.problems[at] == "" {
			f.problems[at] = field.Message
		}
	}
	if !placed {
		f.problem = e.Message
	}
	return true
}

// workView is the form as it is shown.
func (s *Web) workView(r *http.Request, c chosen, f workForm) (*views.Work, error) {
	ctx := r.Context()
	target, err := s.targetView(ctx, f.work.Target, f.work.Sandbox, f.problems["target"])
	if err != nil {
		return nil, err
	}
	m := &views.Work{
		Plugin: c.version.Plugin, Version: f.work.Version, Action: c.action.Name, Description: c.action.Description,
		Target: target, Problem: f.problem, Errors: maps.Clone(f.problems), Idempotent: c.action.Idempotent,
		OnLost: string(f.work.OnLost), MayGrant: allow(r, auth.GrantManage) == nil,
		Missing: s.cfg.Catalog.MissingGrants(ctx, c.version), Lacks: s.cfg.Catalog.MissingSecrets(ctx, c.version, c.action.Name), Compact: true,
		Unsandboxed: c.manifest.Capabilities.Unsandboxed(),
		Fields:      s.fieldsOf(c.props, f.work.Params, f.typed, f.problems),
	}
	if m.Versions, err = s.versionOptions(ctx, m.Plugin, m.Version); err != nil {
		return nil, err
	}
	m.RunsGet = s.runsGet(ctx, m.Plugin, m.Version)
	m.TimeoutHint = "30s"
	if t := time.Duration(c.manifest.Limits.Timeout); t > 0 {
		m.TimeoutHint = t.String()
	}
	m.FuelHint = "no limit"
	if n := c.manifest.Limits.Fuel; n > 0 {
		m.FuelHint = strconv.FormatUint(n, 10)
	}
	for _, a := range c.manifest.Actions {
		m.Actions = append(m.Actions, views.Option{Value: a.Name, Label: a.Name + ": " + a.Description, Selected: a.Name == c.action.Name})
	}
	s.policyView(m, f)
	return m, nil
}

func (s *Web) policyView(m *views.Work, f workForm) {
	m.DryRun, m.Sandbox = f.work.DryRun, f.work.Sandbox
	if f.typed != nil && f.typed.Has("timeout") {
		m.Timeout, m.Attempts, m.Priority = f.typed.Get("timeout"), f.typed.Get("attempts"), f.typed.Get("priority")
		m.Fuel, m.Clock, m.Seed = f.typed.Get("fuel"), f.typed.Get("clock"), f.typed.Get("seed")
		return
	}
	if f.work.Timeout > 0 {
		m.Timeout = f.work.Timeout.String()
	}
	if f.work.MaxAttempts > 1 {
		m.Attempts = strconv.Itoa(f.work.MaxAttempts)
	}
	if f.work.Priority != 0 {
		m.Priority = strconv.Itoa(f.work.Priority)
	}
	if f.work.Fuel > 0 {
		m.Fuel = strconv.FormatUint(f.work.Fuel, 10)
	}
	m.Clock, m.Seed = views.Moment(f.work.Clock), views.Seed(f.work.Seed)
}

// targetView is the part of a form that says where.
func (s *Web) targetView(ctx context.Context, t octopus.Target, sandbox octopus.SandboxLevel, problem string) (views.Target, error) {
	agents, _, err := s.cfg.Store.Agents(ctx, store.AgentFilter{}, store.Page{Limit: store.MaxLimit})
	if err != nil {
		return views.Target{}, err
	}
	m := views.Target{Mode: t.Mode, Count: t.Count, Agent: t.Agent, Selector: t.Selector, Error: problem}
	for _, a := range agents {
		label := a.Name
		if status := s.agentStatus(a); status != "online" {
			label += " (" + status + ")"
		}
		m.Agents = append(m.Agents, views.Option{Value: a.Name, Label: label, Selected: a.Name == t.Agent || a.ID == t.Agent})
	}
	m.Matching = s.matching(agents, t.Selector, sandbox)
	return m, nil
}

// matching says how many of the agents a selector means, and how many of those contain plugins too weakly.
func (s *Web) matching(agents []octopus.Agent, selector string, sandbox octopus.SandboxLevel) string {
	want, err := octopus.ParseSelector(selector)
	if err == nil {
		err = octopus.CheckSandbox(sandbox)
	}
	if err != nil {
		return octopus.Sentence(err)
	}
	match, online, weak := 0, 0, 0
	for _, a := range agents {
		if !want.Match(a.MatchLabels()) {
			continue
		}
		if !octopus.SandboxLevel(a.Facts.Sandbox.Level).Reaches(sandbox) {
			weak++
			continue
		}
		match++
		if s.agentStatus(a) == "online" {
			online++
		}
	}
	left := ""
	if weak > 0 {
		left = " " + views.Plural(weak, "agent more would match, but its sandbox is", "agents more would match, but their sandbox is") + " weaker than " + string(sandbox) + "."
	}
	if match == 0 {
		return "No agent matches yet. The work waits for one, for an hour." + left
	}
	many := views.Plural(match, "agent matches", "agents match")
	if len(agents) == store.MaxLimit {
		many = "At least " + many
	}
	return many + ", " + views.Count(online) + " online." + left
}

// fromWork is a form that starts with what ran before. Secrets are not put into a page: they must be typed again.
func fromWork(c chosen, w octopus.Work) workForm {
	var given map[string]json.RawMessage
	if json.Unmarshal(w.Params, &given) == nil && given != nil {
		for _, p := range c.props {
			if p.secret() {
				delete(given, p.name)
			}
		}
		w.Params, _ = json.Marshal(given)
	}
	return workForm{work: w}
}

// keepSecrets puts back the secret parameters that a form left empty because it did not show them.
func keepSecrets(c chosen, before, now json.RawMessage) json.RawMessage {
	var old, new map[string]json.RawMessage
	if json.Unmarshal(before, &old) != nil || json.Unmarshal(now, &new) != nil || new == nil {
		return now
	}
	for _, p := range c.props {
		if _, typed := new[p.name]; p.secret() && !typed && old[p.name] != nil {
			new[p.name] = old[p.name]
		}
	}
	out, err := json.Marshal(new)
	if err != nil {
		return now
	}
	return out
}
