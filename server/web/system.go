package web

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/cache"
	"octopus/server/folder"
	"octopus/server/store"
	"octopus/views"
)

func (s *Web) systemRoutes(r chi.Router) {
	r.Get("/system", s.page(s.system))
	r.Post("/system/plugins/rescan", s.page(s.rescan))
	r.Post("/system/cache/clear", s.page(s.clearCache))
	r.Post("/system/join-tokens/{id}/revoke", s.page(s.revokeJoinToken))
}

func (s *Web) system(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	m := views.System{Page: s.frame(w, r, "system", "System"), Now: s.now()}
	m.Crumbs, m.CLI = crumbs("System"), "octopus cache list"
	health, err := s.cfg.Store.Health(ctx)
	if err != nil {
		return err
	}
	m.Server = s.serverFacts(health)
	m.Health = s.checks(health)
	m.Regions = cacheRegions(s.cfg.Cache.Stats())
	agents, _, err := s.cfg.Store.Agents(ctx, store.AgentFilter{}, store.Page{Limit: store.MaxLimit})
	if err != nil {
		return err
	}
	m.Levels = levels(agents)
	if m.Tokens, err = s.cfg.Store.JoinTokens(ctx); err != nil {
		return err
	}
	if s.cfg.Folder != nil {
		found, err := s.cfg.Folder.Last(ctx)
		if err != nil {
			return err
		}
		m.Folder = folderView(found)
	}
	servers, err := s.cfg.Store.Servers(ctx)
	if err != nil {
		return err
	}
	for _, x := range servers {
		m.Servers = append(m.Servers, views.ServerRow{
			ID: x.ID, URL: x.URL, Version: x.Version, Agents: x.Agents, StartedAt: x.StartedAt, Alive: x.Alive(s.now()),
		})
	}
	return s.render(w, r, http.StatusOK, views.SystemPage(m))
}

func folderView(r folder.Report) *views.PluginFolder {
	out := &views.PluginFolder{Dir: r.Dir, Problem: r.Problem, At: r.At}
	for _, f := range r.Files {
		out.Files = append(out.Files, views.FoundFile{Name: f.Name, OK: f.Problem == "", Waits: f.Status == string(octopus.SubmissionInReview), Status: strings.ReplaceAll(f.Status, "_", " "), Problem: f.Problem})
	}
	return out
}

// rescan looks at the plugin folder now.
func (s *Web) rescan(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	if s.cfg.Folder == nil {
		return octopus.Errorf(octopus.CodeNotFound, "This server has no plugin folder. Name one with plugins.dir.")
	}
	found, err := s.cfg.Folder.Rescan(r.Context())
	if err != nil {
		return err
	}
	if found.Problem != "" {
		return redirect(w, r, "/system#plugin-folder", "bad", found.Problem)
	}
	return redirect(w, r, "/system#plugin-folder", "ok", "Looked: "+views.Plural(len(found.Files), "file is", "files are")+" there.")
}

func (s *Web) serverFacts(h store.Health) []views.Pair {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return []views.Pair{
		{Label: "Version", Text: s.cfg.Version + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"},
		{Label: "Address", Text: s.cfg.PublicURL},
		{Label: "Up for", Text: views.Span(s.now().Sub(s.started))},
		{Label: "Database", Text: h.Dialect + " " + h.Version + ", schema " + strconv.FormatInt(h.SchemaVersion, 10)},
		{Label: "Size", Text: views.Bytes(h.SizeBytes)},
		{Label: "Memory", Text: views.Bytes(mem.Sys - mem.HeapReleased)},
		{Label: "Open pages", Text: views.Count(s.live.viewers())},
	}
}

func (s *Web) checks(h store.Health) []views.Check {
	space := "has room"
	if h.NoSpace {
		space = "is full: nothing can be written until there is space"
	}
	return []views.Check{
		{OK: true, Name: "Database answers", State: "version " + h.Version},
		{OK: !h.NoSpace, Name: "Disk", State: space},
		{OK: h.Queue < 1000, Name: "Writer", State: views.Plural(h.Queue, "write waits", "writes wait")},
		{OK: true, Name: "Agents", State: views.Plural(s.cfg.Dispatch.Online(), "is connected here", "are connected here")},
	}
}

func cacheRegions(stats []cache.RegionStats) (out []views.CacheRegion) {
	for _, r := range stats {
		c := views.CacheRegion{
			Name: string(r.Region), TTL: views.Span(r.TTL), Items: r.Items, Hits: r.Hits, Misses: r.Misses, Evictions: r.Evictions, HitRate: "–",
		}
		if all := r.Hits + r.Misses; all > 0 {
			c.HitRateFraction = float64(r.Hits) / float64(all)
			c.HitRate = fmt.Sprintf("%.0f %%", 100*c.HitRateFraction)
		}
		out = append(out, c)
	}
	return out
}

func levels(agents []octopus.Agent) (out []views.Level) {
	n := make(map[string]int)
	for _, a := range agents {
		n[a.Facts.Sandbox.Level]++
	}
	for _, name := range sortedKeys(n) {
		out = append(out, views.Level{Name: name, N: n[name]})
	}
	return out
}

func (s *Web) clearCache(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.SystemManage); err != nil {
		return err
	}
	region := cache.Region(r.FormValue("region"))
	all := cache.Regions()
	if region != "" {
		if !slices.Contains(all, region) {
			return octopus.Errorf(octopus.CodeNotFound, "The cache has no such region.")
		}
		all = []cache.Region{region}
	}
	for _, name := range all {
		s.cfg.Cache.Invalidate(name, "")
	}
	return redirect(w, r, "/system", "ok", "Cleared.")
}

func (s *Web) revokeJoinToken(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.AgentManage); err != nil {
		return err
	}
	if err := s.cfg.Store.RevokeJoinToken(r.Context(), chi.URLParam(r, "id")); err != nil {
		return said(w, r, "/system", err)
	}
	return redirect(w, r, "/system", "ok", "Revoked. Machines that have joined stay.")
}
