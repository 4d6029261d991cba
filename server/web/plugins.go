package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/server/store"
	"octopus/views"
)

func (s *Web) pluginRoutes(r chi.Router) {
	r.Get("/plugins", s.page(s.plugins))
	r.Post("/plugins/switch", s.page(s.switchPlugins))
	r.Post("/plugins/restore", s.page(s.restorePlugins))
	r.Get("/grants", s.page(s.grants))
	r.Post("/grants/{digest}/revoke", s.page(s.revokeGrant))
	r.Get("/plugins/{name}", s.page(s.pluginPage))
	r.Post("/plugins/{name}/{verb}", s.page(s.pluginVerb))
}

func (s *Web) plugins(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	m := views.Plugins{Page: s.frame(w, r, "plugins", "Plugins", topicPlugins), Search: strings.TrimSpace(r.FormValue("text"))}
	if m.Search != "" {
		m.Events += "&" + url.Values{"text": {m.Search}}.Encode()
	}
	m.Crumbs, m.CLI = crumbs("Plugins"), "octopus plugins list"
	m.Here = r.URL.RequestURI()
	list, err := s.cfg.Store.Plugins(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if !lists(p, m.Search) {
			continue
		}
		row, err := s.pluginRow(ctx, p)
		if err != nil {
			return err
		}
		m.Rows = append(m.Rows, row)
	}
	return s.render(w, r, http.StatusOK, views.PluginsPage(m))
}

// grantState sums up how much of what is asked was granted.
func grantState(asked, missing int) string {
	switch {
	case asked == 0:
		return "none"
	case missing == 0:
		return "granted"
	case missing == asked:
		return "missing"
	}
	return "partly"
}

// versionOf picks the version that a page is about: the named one, or the newest.
func versionOf(p octopus.Plugin, name string) (octopus.PluginVersion, error) {
	i := slices.IndexFunc(p.Versions, func(v octopus.PluginVersion) bool { return name == "" || v.Version == name })
	if i < 0 {
		return octopus.PluginVersion{}, octopus.Errorf(octopus.CodeNotFound, "%s has no version %s.", p.Name, cmp.Or(name, "at all"))
	}
	return p.Versions[i], nil
}

func (s *Web) pluginPage(w http.ResponseWriter, r *http.Request) error {
	return s.showPlugin(w, r, http.StatusOK, configForm{})
}

// showPlugin renders a plugin's page. form is what somebody typed who filled in its configuration.
func (s *Web) showPlugin(w http.ResponseWriter, r *http.Request, status int, form configForm) error {
	ctx, name := r.Context(), chi.URLParam(r, "name")
	p, err := s.cfg.Store.Plugin(ctx, name)
	if err != nil {
		return err
	}
	v, err := versionOf(p, r.FormValue("version"))
	if err != nil {
		return err
	}
	frame := s.frame(w, r, "plugins", p.Name, topicPlugin+p.Name+"@"+v.Version)
	m, err := s.pluginModel(ctx, p.Name, v.Version)
	if err != nil {
		return err
	}
	m.Page = frame
	m.Crumbs, m.CLI = crumbs("Plugins", "/plugins", m.Plugin.Name), "octopus plugins get "+m.Plugin.Name
	manifest, err := s.cfg.Catalog.Manifest(ctx, m.Version.Digest)
	if err != nil {
		return err
	}
	if m.Config, err = s.configView(ctx, m.Version, manifest, form); err != nil {
		return err
	}
	return s.render(w, r, status, views.PluginPage(m))
}

// shownAgents is how many of the agents that use a version its plugin's page names.
const shownAgents = 10

// pluginModel is what a plugin's page shows of one of its versions to everybody, but for the form of its configuration.
func (s *Web) pluginModel(ctx context.Context, name, version string) (m views.Plugin, err error) {
	if m.Plugin, err = s.cfg.Store.Plugin(ctx, name); err != nil {
		return m, err
	}
	if m.Version, err = versionOf(m.Plugin, version); err != nil {
		return m, err
	}
	manifest, err := s.cfg.Catalog.Manifest(ctx, m.Version.Digest)
	if err != nil {
		return m, err
	}
	m.Homepage, m.Unsandboxed = manifest.Homepage, manifest.Capabilities.Unsandboxed()
	for _, a := range manifest.Actions {
		m.Actions = append(m.Actions, actionView(a))
	}
	m.Asked = asked(manifest.Capabilities, s.cfg.Catalog.MissingGrants(ctx, m.Version))
	missing := 0
	for _, c := range m.Asked {
		if !c.Granted {
			missing++
		}
	}
	m.Grant = grantState(len(m.Asked), missing)
	if m.Bindings, err = s.bindings(ctx, m.Version); err != nil {
		return m, err
	}
	m.Lacks = s.cfg.Catalog.MissingSecrets(ctx, m.Version, "")
	m.Limits = limitFacts(manifest)
	m.TrialSize = catalog.TrialSize
	if m.Rows, err = s.versionRows(ctx, m.Plugin); err != nil {
		return m, err
	}
	err = s.pluginUses(ctx, &m)
	return m, err
}

// pluginUses adds who uses a plugin and what happened to it.
func (s *Web) pluginUses(ctx context.Context, m *views.Plugin) (err error) {
	if m.Tasks, _, err = s.cfg.Store.Tasks(ctx, store.TaskFilter{Plugin: m.Plugin.Name}, store.Page{Limit: 50}); err != nil {
		return err
	}
	if m.Fetches, err = s.cfg.Store.Fetches(ctx, m.Plugin.Name); err != nil {
		return err
	}
	var more string
	if m.Agents, more, err = s.cfg.Store.VersionAgents(ctx, m.Version, store.Page{Limit: shownAgents, Descending: true}); err != nil {
		return err
	}
	m.MoreAgents = more != ""
	m.History, _, err = s.cfg.Store.PluginEvents(ctx, m.Plugin.Name, store.Page{Limit: 20, Descending: true})
	return err
}

func actionView(a spec.Action) views.PluginAction {
	out := views.PluginAction{Name: a.Name, Description: a.Description, Idempotent: a.Idempotent, Examples: a.Examples}
	for _, p := range properties(a.Params) {
		out.Params = append(out.Params, views.ParamDoc{
			Name: p.name, Type: p.typeWord(), Help: p.Description, Required: p.required, Default: inputText("text", p.Default),
		})
	}
	return out
}

// asked lists what a plugin asks for. Missing sentences name the plugin, phrases do not: they end alike.
func asked(caps spec.Capabilities, missing []string) (out []views.Capability) {
	reasons := reasonsOf(caps)
	said := ""
	for _, phrase := range caps.Missing(spec.Capabilities{}) {
		c := views.Capability{Title: phrase, Granted: true, Reason: reasons(phrase)}
		if c.Reason == said {
			c.Reason = "" // one reason for several lines is said once
		} else {
			said = c.Reason
		}
		for _, m := range missing {
			if strings.HasSuffix(m, phrase+".") {
				c.Granted = false
			}
		}
		out = append(out, c)
	}
	return out
}

// reasonsOf finds the reason that a plugin's author gave, by the first word of the phrase that names a capability.
func reasonsOf(caps spec.Capabilities) func(phrase string) string {
	return func(phrase string) string {
		switch {
		case caps.HTTP != nil && strings.HasPrefix(phrase, "http"):
			return caps.HTTP.Reason
		case caps.Net != nil && strings.Contains(phrase, "connect"), caps.Net != nil && strings.HasPrefix(phrase, "net"):
			return caps.Net.Reason
		case caps.KV != nil && strings.Contains(phrase, "key"):
			return caps.KV.Reason
		}
		for _, f := range caps.Files {
			if strings.Contains(phrase, f.Path) {
				return f.Reason
			}
		}
		for _, x := range caps.Secrets {
			if strings.Contains(phrase, x.Name) {
				return x.Reason
			}
		}
		for _, x := range caps.Exec {
			if strings.Contains(phrase, x.Name) {
				return x.Reason
			}
		}
		return ""
	}
}

func (s *Web) pluginVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, name, verb := r.Context(), chi.URLParam(r, "name"), chi.URLParam(r, "verb")
	back := "/plugins/" + url.PathEscape(name)
	switch verb {
	case "enable", "disable":
		if err := allow(r, auth.PluginManage); err != nil {
			return err
		}
		if err := s.cfg.Catalog.SetEnabled(ctx, name, verb == "enable", subject(r).Username); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", map[string]string{"enable": "Enabled.", "disable": "Disabled: new runs are refused."}[verb])
	case "config":
		return s.configure(w, r, name)
	case "grant", "revoke":
		return s.grant(w, r, name, verb == "grant")
	case "ring", "hold", "resume":
		return s.ringVerb(w, r, name, verb)
	case "rollback":
		return s.rollBack(w, r, name)
	}
	return s.notFound(w, r)
}

// grant gives a version what it asks for, or takes it away. From inside a form it answers with a remark in place.
func (s *Web) grant(w http.ResponseWriter, r *http.Request, name string, give bool) error {
	if err := allow(r, auth.GrantManage); err != nil {
		return err
	}
	ctx, by := r.Context(), subject(r).Username
	// The button inside a form names the version in its address; the form around it may name a range.
	want := cmp.Or(r.URL.Query().Get("version"), r.FormValue("version"))
	v, err := s.cfg.Catalog.Resolve(ctx, name, want)
	if err != nil {
		return err
	}
	back := "/plugins/" + url.PathEscape(name) + "?version=" + url.QueryEscape(v.Version)
	if !give {
		if err := s.cfg.Catalog.Revoke(ctx, v.Digest, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Revoked. New runs that need it are refused.")
	}
	caps, err := s.boundGrant(r, v)
	if err == nil {
		err = s.cfg.Catalog.Grant(ctx, v.Digest, caps, by)
	}
	if err != nil {
		return said(w, r, back, err)
	}
	if r.Header.Get("HX-Request") != "" {
		return s.render(w, r, http.StatusOK, views.Granted(name))
	}
	return redirect(w, r, back, "ok", "Granted.")
}
