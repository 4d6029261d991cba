package web

import (
	"context"
	"net/http"
	"net/url"
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
	form := configForm{typed: r.PostForm}
	config, problems := decodeParams(properties(m.Config), r.PostForm)
	if form.problems = problems; len(problems) == 0 {
		if err = s.cfg.Catalog.SetConfig(ctx, name, config, subject(r).Username); err == nil {
			return redirect(w, r, "/plugins/"+url.PathEscape(name)+"?version="+url.QueryEscape(v.Version), "ok", "Saved. Executions that start from now on get it.")
		}
		if octopus.CodeOf(err) == octopus.CodeInternal {
			return err
		}
		form.refused(err)
	}
	return s.showPlugin(w, r, http.StatusUnprocessableEntity, form)
}

// refused notes why the catalogue did not take it.
func (f *configForm) refused(err error) {
	f.problem = octopus.Sentence(err)
	for field, message := range fieldErrors(err) {
		if name, ok := strings.CutPrefix(field, "config/"); ok {
			f.problems["/params/"+name], f.problem = message, ""
		}
	}
}
