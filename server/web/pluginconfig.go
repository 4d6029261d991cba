package web

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/views"
)

// configForm is a configuration as somebody typed it, with what is wrong with it.
type configForm struct {
	typed    url.Values // nil: nobody typed anything
	problems map[string]string
	problem  string // that belongs to no field
}

// configView is the part of a plugin's page where its configuration is filled in, nil where a version takes none.
func (s *Web) configView(ctx context.Context, v octopus.PluginVersion, m spec.Manifest, form configForm) (*views.PluginConfig, error) {
	if len(m.Config) == 0 {
		return nil, nil
	}
	config, err := s.cfg.Catalog.ConfigOf(ctx, v.Plugin)
	if err != nil {
		return nil, err
	}
	out := &views.PluginConfig{
		Plugin: v.Plugin, Version: v.Version, UpdatedAt: config.UpdatedAt, UpdatedBy: config.UpdatedBy, Problem: form.problem,
		Fields: s.fieldsOf(properties(m.Config), config.Config, form.typed, form.problems),
	}
	for name, value := range others(properties(m.Config), config.Config) {
		out.Others = append(out.Others, views.Other{Name: name, Text: inputText("text", value), Drop: slices.Contains(form.typed["drop"], name)})
	}
	slices.SortFunc(out.Others, func(a, b views.Other) int { return strings.Compare(a.Name, b.Name) })
	if _, err := s.cfg.Catalog.Config(ctx, v); err != nil {
		out.Unfit = octopus.Sentence(err)
	}
	return out, nil
}

// configure stores what the form says. What is wrong is shown beside the field.
func (s *Web) configure(w http.ResponseWriter, r *http.Request, name string) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	ctx := r.Context()
	p, err := s.cfg.Store.Plugin(ctx, name)
	if err != nil {
		return err
	}
	v, err := versionOf(p, r.FormValue("version"))
	if err != nil {
		return err
	}
	m, err := s.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return err
	}
	form, props := configForm{typed: r.PostForm}, properties(m.Config)
	config, problems := decodeParams(props, r.PostForm)
	if form.problems = problems; len(problems) == 0 {
		before, err := s.cfg.Catalog.ConfigOf(ctx, name)
		if err != nil {
			return err
		}
		config, kept, err := keep(config, others(props, before.Config), r.PostForm["drop"])
		if err != nil {
			return err
		}
		if err = s.cfg.Catalog.SetConfig(ctx, name, config, subject(r).Username); err == nil {
			done := "Saved. Executions that start from now on get it."
			if len(kept) > 0 {
				done += " Kept, which " + v.Version + " does not have: " + strings.Join(kept, ", ") + "."
			}
			return redirect(w, r, "/plugins/"+url.PathEscape(name)+"?version="+url.QueryEscape(v.Version), "ok", done)
		}
		if octopus.CodeOf(err) == octopus.CodeInternal {
			return err
		}
		form.refused(props, err)
	}
	return s.showPlugin(w, r, http.StatusUnprocessableEntity, form)
}

// others are the settings of a configuration that a version's schema does not name: other versions may want them.
func others(props []property, config json.RawMessage) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	_ = json.Unmarshal(config, &out) // nothing stored is nothing
	for _, p := range props {
		delete(out, p.name)
	}
	return out
}

// keep adds to a configuration the other settings, but those to drop. It returns their names, too.
func keep(config json.RawMessage, others map[string]json.RawMessage, drop []string) (all json.RawMessage, kept []string, err error) {
	out := make(map[string]json.RawMessage)
	if err := json.Unmarshal(config, &out); err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if !slices.Contains(drop, name) {
			out[name] = others[name]
			kept = append(kept, name)
		}
	}
	all, err = json.Marshal(out)
	return all, kept, err
}

// refused notes why the catalogue did not take it: beside the field, where the form has one.
func (f *configForm) refused(props []property, err error) {
	f.problem = octopus.Sentence(err)
	for field, message := range fieldErrors(err) {
		name, ok := strings.CutPrefix(field, "config/")
		if top, _, _ := strings.Cut(name, "/"); ok && slices.ContainsFunc(props, func(p property) bool { return pointer(p.name) == top }) {
			f.problems["/params/"+name], f.problem = message, ""
		}
	}
}
