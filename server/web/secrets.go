package web

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/views"
)

func (s *Web) secretRoutes(r chi.Router) {
	r.Get("/secrets", s.page(s.secrets))
	r.Post("/secrets", s.page(s.setSecret))
	r.Post("/secrets/{name}/remove", s.page(s.removeSecret))
	r.Post("/profile/params", s.page(s.saveParams))
	r.Post("/profile/params/remove", s.page(s.removeParams))
}

func (s *Web) secrets(w http.ResponseWriter, r *http.Request) error {
	return s.showSecrets(w, r, http.StatusOK, views.Secrets{})
}

func (s *Web) showSecrets(w http.ResponseWriter, r *http.Request, status int, m views.Secrets) error {
	if err := allow(r, auth.SecretManage); err != nil {
		return err
	}
	m.Page = s.frame(w, r, "secrets", "Secrets")
	m.Crumbs, m.CLI = crumbs("Secrets"), "octopus secrets list"
	list, err := s.cfg.Store.Secrets(r.Context())
	if err != nil {
		return err
	}
	uses, err := s.cfg.Catalog.SecretUses(r.Context())
	if err != nil {
		return err
	}
	for _, secret := range list {
		row := views.SecretRow{Secret: secret}
		for _, u := range uses[secret.Name] {
			row.Uses = append(row.Uses, views.SecretUse{Plugin: u.Plugin, Version: u.Version, Expose: u.Expose})
		}
		m.Rows = append(m.Rows, row)
	}
	return s.render(w, r, status, views.SecretsPage(m))
}

func (s *Web) setSecret(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.SecretManage); err != nil {
		return err
	}
	name := strings.TrimSpace(r.FormValue("name"))
	_, err := s.cfg.Vault.Set(r.Context(), name, r.FormValue("value"), subject(r).Username)
	if octopus.CodeOf(err) == octopus.CodeInternal {
		return err
	}
	if err != nil {
		m := views.Secrets{Name: name, Errors: fieldErrors(err)}
		if len(m.Errors) == 0 {
			m.Problem = octopus.Sentence(err)
		}
		return s.showSecrets(w, r, statusOf(err), m)
	}
	return redirect(w, r, "/secrets", "ok", "Stored "+name+".")
}

func (s *Web) removeSecret(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.SecretManage); err != nil {
		return err
	}
	name := chi.URLParam(r, "name")
	if err := s.cfg.Vault.Remove(r.Context(), name, subject(r).Username); err != nil {
		return said(w, r, "/secrets", err)
	}
	return redirect(w, r, "/secrets", "ok", "Removed "+name+".")
}

// bindings are the choices of a grant: which stored secret is meant by each name of the manifest.
func (s *Web) bindings(ctx context.Context, v octopus.PluginVersion) ([]views.Binding, error) {
	caps, err := s.cfg.Catalog.Bound(ctx, v)
	if err != nil || len(caps.Secrets) == 0 {
		return nil, err
	}
	stored, err := s.cfg.Store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	var out []views.Binding
	for _, secret := range caps.Secrets {
		b := views.Binding{Name: secret.Name, Stored: secret.Stored(), Missing: true}
		for _, x := range stored {
			b.Options = append(b.Options, views.Option{Value: x.Name, Selected: x.Name == b.Stored})
			b.Missing = b.Missing && x.Name != b.Stored
		}
		out = append(out, b)
	}
	return out, nil
}

// boundGrant is all that a version asks for, with the secrets that the form names.
func (s *Web) boundGrant(r *http.Request, v octopus.PluginVersion) (spec.Capabilities, error) {
	caps, err := s.cfg.Catalog.Bound(r.Context(), v)
	if err != nil {
		return caps, err
	}
	bind := map[string]string{}
	for _, secret := range caps.Secrets {
		if stored := r.FormValue("secret." + secret.Name); stored != "" {
			bind[secret.Name] = stored
		}
	}
	return s.cfg.Catalog.Bind(r.Context(), caps, bind)
}

// ownParams are the viewer's parameters, as text to edit.
func (s *Web) ownParams(ctx context.Context, userID string) ([]views.CategoryRow, error) {
	all, err := s.cfg.Vault.Params(ctx, userID)
	if err != nil {
		return nil, err
	}
	var out []views.CategoryRow
	for _, category := range slices.Sorted(maps.Keys(all)) {
		var text bytes.Buffer
		if json.Indent(&text, all[category], "", "  ") != nil {
			text.Write(all[category])
		}
		out = append(out, views.CategoryRow{Category: category, Text: text.String()})
	}
	return out, nil
}

func (s *Web) saveParams(w http.ResponseWriter, r *http.Request) error {
	category, typed := strings.TrimSpace(r.FormValue("category")), strings.TrimSpace(r.FormValue("params"))
	if err := allow(r, auth.ProfileSelf); err != nil {
		return err
	}
	var err error = octopus.InvalidField("/params", "The parameters must be a JSON object such as {\"timezone\": \"Europe/Berlin\"}.")
	if json.Valid([]byte(typed)) && typed != "null" {
		err = s.cfg.Vault.SetParams(r.Context(), subject(r).UserID, map[string]json.RawMessage{category: json.RawMessage(typed)})
	}
	if err != nil {
		if octopus.CodeOf(err) == octopus.CodeInvalid {
			err = octopus.InvalidField("/params", "%s", octopus.Sentence(err))
		}
		return s.refuseProfile(w, r, views.Profile{Category: category, Typed: typed}, err)
	}
	return redirect(w, r, "/profile#params", "ok", "Saved.")
}

func (s *Web) removeParams(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.ProfileSelf); err != nil {
		return err
	}
	patch := map[string]json.RawMessage{r.FormValue("category"): json.RawMessage("null")}
	if err := s.cfg.Vault.SetParams(r.Context(), subject(r).UserID, patch); err != nil {
		return said(w, r, "/profile", err)
	}
	return redirect(w, r, "/profile#params", "ok", "Removed.")
}
