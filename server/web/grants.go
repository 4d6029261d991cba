package web

import (
	"cmp"
	"net/http"
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

// grantStates are the choices of the page of grants, in their order.
var grantStates = []struct {
	state octopus.GrantState
	label string
}{
	{"", "All"}, {octopus.GrantInForce, "In force"}, {octopus.GrantOlder, "Older versions"}, {octopus.GrantRevoked, "Revoked"},
}

// grants lists what each digest may do, who granted it, and when.
func (s *Web) grants(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	m := views.Grants{Page: s.frame(w, r, "plugins", "Grants"), Search: strings.TrimSpace(q.Get("text")), Here: r.URL.RequestURI()}
	m.Crumbs = crumbs("Plugins", "/plugins", "Grants")
	f := catalog.GrantFilter{GrantFilter: store.GrantFilter{Plugin: q.Get("plugin"), GrantedBy: q.Get("by"), Text: m.Search}}
	if c := q.Get("capability"); slices.Contains(spec.CapabilityNames, c) {
		f.Capability = c
	}
	if state := octopus.GrantState(q.Get("state")); slices.Contains(octopus.GrantStates, state) {
		f.State = state
	}
	m.CLI = "octopus plugins grants" + cliFlag("plugin", f.Plugin) + cliFlag("capability", f.Capability) + cliFlag("by", f.GrantedBy) +
		cliFlag("state", string(f.State)) + cliFlag("text", f.Text)
	for _, x := range grantStates {
		m.States = append(m.States, views.Link{Label: x.label, Href: changed("/grants", q, "state", string(x.state)), Current: x.state == f.State})
	}
	plugins, people, err := s.cfg.Store.GrantNames(ctx)
	if err != nil {
		return err
	}
	m.State = string(f.State)
	m.Plugins, m.People = choices("Every plugin", plugins, f.Plugin), choices("Everybody", people, f.GrantedBy)
	m.Capabilities = choices("Every capability", spec.CapabilityNames, f.Capability)
	m.Narrowed = f.Plugin != "" || f.GrantedBy != "" || f.Text != "" || f.Capability != "" || f.State != ""
	p := store.Page{Limit: pageSize, Cursor: q.Get("cursor"), Descending: true}
	rows, next, err := s.cfg.Catalog.Grants(ctx, f, p)
	if err != nil {
		return err
	}
	for _, g := range rows {
		m.Rows = append(m.Rows, views.GrantRow{PluginVersion: g.PluginVersion, State: g.State, Allows: g.Allows})
	}
	if next != "" {
		m.Pages.Next = changed("/grants", q, "cursor", next)
	}
	if p.Cursor != "" {
		m.Pages.First = changed("/grants", q, "cursor", "")
	}
	return s.render(w, r, http.StatusOK, views.GrantsPage(m))
}

// choices are the options of a filter, the first of which does not narrow.
func choices(all string, names []string, current string) []views.Option {
	out := []views.Option{{Label: all, Selected: current == ""}}
	if current != "" && !slices.Contains(names, current) {
		names = append([]string{current}, names...)
	}
	for _, name := range names {
		out = append(out, views.Option{Value: name, Label: cmp.Or(name, "–"), Selected: name == current})
	}
	return out
}

func (s *Web) revokeGrant(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.GrantManage); err != nil {
		return err
	}
	ctx, back := r.Context(), backTo(r, "/grants")
	v, err := s.cfg.Store.VersionByDigest(ctx, chi.URLParam(r, "digest"))
	if err == nil {
		err = s.cfg.Catalog.Revoke(ctx, v.Digest, subject(r).Username)
	}
	if err != nil {
		return said(w, r, back, err)
	}
	return redirect(w, r, back, "ok", "Revoked what "+v.Plugin+" "+v.Version+" was granted. New runs that need it are refused.")
}
