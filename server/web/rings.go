package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/views"
)

// maxExact is how many exact versions a form offers.
const maxExact = 20

// versionRows are the versions of a plugin's page, with what an administrator may do with each.
func (s *Web) versionRows(ctx context.Context, p octopus.Plugin) ([]views.VersionRow, error) {
	outcomes, err := s.cfg.Store.Outcomes(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	percent := make(map[string]int)
	shares, err := s.cfg.Catalog.Shares(ctx, p.Name, "")
	for _, share := range shares {
		percent[share.Version.Digest] = share.Percent
	}
	if err != nil && octopus.CodeOf(err) == octopus.CodeInternal {
		return nil, err
	}
	now := s.now()
	newest := slices.IndexFunc(p.Versions, func(v octopus.PluginVersion) bool { return !v.Held && catalog.Follows(v) })
	last := newest // the lowest that runs may get
	for i, v := range p.Versions {
		if !v.Held && catalog.Follows(v) {
			last = i
		}
	}
	var rows []views.VersionRow
	for i, v := range p.Versions {
		row := views.VersionRow{PluginVersion: v, Percent: percent[v.Digest], Tally: outcomes[v.Digest], OnTrial: v.OnTrial(now)}
		if catalog.Follows(v) {
			row.Ungranted = !v.Held && i <= newest && i < last && len(s.cfg.Catalog.MissingGrants(ctx, v)) > 0
			row.Hold = i == newest && i < last
			row.RollBack = newest >= 0 && i > newest && !v.Held && len(s.cfg.Catalog.MissingGrants(ctx, v)) == 0
			row.Move = nextRing(v, row.Hold)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// nextRing is where one click moves a version: on to the next ring, or the newest from all runs back to a few.
func nextRing(v octopus.PluginVersion, newest bool) octopus.Ring {
	switch {
	case v.Held:
		return ""
	case v.Ring == octopus.RingCanary:
		return octopus.RingEarly
	case v.Ring == octopus.RingEarly:
		return octopus.RingAll
	case newest:
		return octopus.RingCanary
	}
	return ""
}

// ringVerb moves a version of a plugin: ring, hold, resume, rollback.
func (s *Web) ringVerb(w http.ResponseWriter, r *http.Request, name, verb string) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	ctx, by, version := r.Context(), subject(r).Username, r.FormValue("version")
	back := "/plugins/" + url.PathEscape(name)
	var err error
	done := ""
	switch verb {
	case "ring":
		ring := octopus.Ring(r.FormValue("ring"))
		err = s.cfg.Catalog.SetRing(ctx, name, version, ring, by)
		done = version + " is in the ring " + string(ring) + "."
	case "hold":
		err = s.cfg.Catalog.Hold(ctx, name, version, "", by)
		done = version + " is held."
	case "resume":
		for _, v := range strings.Split(version, ",") { // an undone roll-back may be about several
			err = cmp.Or(err, s.cfg.Catalog.Resume(ctx, name, v, by))
		}
		done = "Resumed."
	}
	if err != nil {
		return said(w, r, back, err)
	}
	if verb == "hold" {
		return redirectUndo(w, r, back, done, undoHold(name, version))
	}
	return redirect(w, r, back, "ok", done)
}

// undoHold is where the button posts that takes a roll-back or a hold back.
func undoHold(name string, versions ...string) string {
	return "/plugins/" + url.PathEscape(name) + "/resume?version=" + url.QueryEscape(strings.Join(versions, ","))
}

func (s *Web) rollBack(w http.ResponseWriter, r *http.Request, name string) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	back := "/plugins/" + url.PathEscape(name)
	now, held, err := s.cfg.Catalog.RollBack(r.Context(), name, r.FormValue("version"), subject(r).Username)
	if err != nil {
		return said(w, r, back, err)
	}
	return redirectUndo(w, r, back, "Rolled back: runs get "+now.Version+".", undoHold(name, held...))
}

// versionOptions are the versions, ranges and rings that a form offers.
func (s *Web) versionOptions(ctx context.Context, plugin, current string) ([]views.Option, error) {
	p, err := s.cfg.Store.Plugin(ctx, plugin)
	if err != nil {
		return nil, err
	}
	out := []views.Option{{Value: "", Label: "The newest, as the rings have it"}}
	seen := make(map[string]bool)
	add := func(value, label string) {
		if !seen[value] {
			seen[value] = true
			out = append(out, views.Option{Value: value, Label: label})
		}
	}
	for _, r := range catalog.Ranges(p.Versions) {
		add(r, "The newest "+r[1:]+".x")
	}
	add("canary", "The newest of canary, also what 5 % of the runs get")
	add("early", "The newest of early, also what 25 % of the runs get")
	add("all", "The newest that all runs may get")
	for i, v := range p.Versions {
		if i < maxExact && v.Status != octopus.VersionRevoked && v.Status != octopus.VersionDisabled {
			add(v.Version, "Exactly "+v.Version)
		}
	}
	if current != "" && !seen[current] {
		add(current, current)
	}
	for i := range out {
		out[i].Selected = out[i].Value == current
	}
	return out, nil
}

// runsGet says which versions runs with a wish get now.
func (s *Web) runsGet(ctx context.Context, plugin, wish string) string {
	shares, err := s.cfg.Catalog.Shares(ctx, plugin, wish)
	if err != nil {
		return octopus.Sentence(err)
	}
	if len(shares) == 1 {
		return "It would run " + shares[0].Version.Version + " now."
	}
	var parts []string
	for _, share := range shares {
		parts = append(parts, share.Version.Version+" ("+strconv.Itoa(share.Percent)+" % of the runs)")
	}
	return "It would run " + strings.Join(parts, " or ") + " now."
}

// versionPart is runsGet while a version is chosen.
func (s *Web) versionPart(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, views.Text(s.runsGet(r.Context(), r.FormValue("plugin"), r.FormValue("version"))))
}
