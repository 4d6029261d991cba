package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/cache"
	"octopus/views"
)

func (s *Web) profileRoutes(r chi.Router) {
	r.Get("/profile", s.page(s.profile))
	r.Post("/profile", s.page(s.saveProfile))
	r.Post("/profile/theme", s.page(s.saveTheme))
	r.Post("/profile/password", s.page(s.savePassword))
	r.Post("/profile/tokens", s.page(s.createToken))
	r.Post("/profile/tokens/{id}/revoke", s.page(s.revokeToken))
	r.Post("/profile/sessions/{id}/end", s.page(s.endSession))
}

// zones are suggestions; any IANA name is taken.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Warsaw", "Europe/Kyiv", "Africa/Lagos",
	"Africa/Johannesburg", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo",
	"Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
}

func (s *Web) profile(w http.ResponseWriter, r *http.Request) error {
	return s.showProfile(w, r, http.StatusOK, views.Profile{})
}

func (s *Web) showProfile(w http.ResponseWriter, r *http.Request, status int, m views.Profile) error {
	ctx, who := r.Context(), subject(r)
	m.Page = s.frame(w, r, "", "Profile")
	m.Crumbs, m.CLI = crumbs("Profile"), "octopus tokens list"
	user, err := s.cfg.Store.User(ctx, who.UserID)
	if err != nil {
		return err
	}
	typed := m.User
	m.User, m.Current = user, who.SessionID
	if len(m.Errors) > 0 && typed.Zone+typed.Email+typed.DisplayName != "" {
		m.User.DisplayName, m.User.Email, m.User.Zone = typed.DisplayName, typed.Email, typed.Zone
	}
	for _, z := range zones {
		m.Zones = append(m.Zones, views.Option{Value: z})
	}
	for _, role := range octopus.Roles {
		if who.Role.Includes(role) {
			m.Roles = append(m.Roles, views.Option{Value: string(role), Label: string(role), Selected: role == who.Role})
		}
	}
	if m.Sessions, err = s.cfg.Store.UserSessions(ctx, user.ID); err != nil {
		return err
	}
	if m.Params, err = s.ownParams(ctx, user.ID); err != nil {
		m.Problem = octopus.Sentence(err) // the rest of the page is of use all the same
	}
	tokens, err := s.cfg.Auth.MyTokens(ctx, who)
	if err != nil {
		return err
	}
	m.Tokens = slices.DeleteFunc(tokens, func(t octopus.Token) bool { return !t.RevokedAt.IsZero() })
	return s.render(w, r, status, views.ProfilePage(m))
}

// refuseProfile shows the page again with what was wrong.
func (s *Web) refuseProfile(w http.ResponseWriter, r *http.Request, m views.Profile, err error) error {
	if octopus.CodeOf(err) == octopus.CodeInternal {
		return err
	}
	m.Errors = fieldErrors(err)
	if v := m.Errors["new"]; v != "" {
		m.Errors["password"] = v
	}
	if len(m.Errors) == 0 {
		m.Problem = octopus.Sentence(err)
	}
	return s.showProfile(w, r, statusOf(err), m)
}

func (s *Web) saveProfile(w http.ResponseWriter, r *http.Request) error {
	name, email, zone := strings.TrimSpace(r.FormValue("name")), strings.TrimSpace(r.FormValue("email")), strings.TrimSpace(r.FormValue("zone"))
	who := subject(r)
	_, err := s.cfg.Auth.UpdateUser(r.Context(), who, who.UserID, auth.UserChange{DisplayName: &name, Email: &email, Zone: &zone})
	if err != nil {
		return s.refuseProfile(w, r, views.Profile{User: octopus.User{DisplayName: name, Email: email, Zone: zone}}, err)
	}
	s.cfg.Cache.Invalidate(cache.Users, viewerKey(who.UserID))
	return redirect(w, r, "/profile", "ok", "Saved.")
}

// saveTheme is sent by the theme switch; the page has changed already.
func (s *Web) saveTheme(w http.ResponseWriter, r *http.Request) error {
	theme, who := r.FormValue("theme"), subject(r)
	if _, err := s.cfg.Auth.UpdateUser(r.Context(), who, who.UserID, auth.UserChange{Theme: &theme}); err != nil {
		return err
	}
	s.cfg.Cache.Invalidate(cache.Users, viewerKey(who.UserID))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Web) savePassword(w http.ResponseWriter, r *http.Request) error {
	if err := s.cfg.Auth.ChangePassword(r.Context(), subject(r), r.FormValue("old"), r.FormValue("password")); err != nil {
		return s.refuseProfile(w, r, views.Profile{}, err)
	}
	return redirect(w, r, "/profile", "ok", "Password changed. Your other sessions ended.")
}

// createToken answers with the page itself: the secret is shown in this one answer only.
func (s *Web) createToken(w http.ResponseWriter, r *http.Request) error {
	name := cmp.Or(strings.TrimSpace(r.FormValue("name")), "token")
	_, secret, err := s.cfg.Auth.CreateToken(r.Context(), subject(r), name, octopus.Role(r.FormValue("role")), 0)
	if err != nil {
		return s.refuseProfile(w, r, views.Profile{}, err)
	}
	return s.showProfile(w, r, http.StatusOK, views.Profile{NewToken: secret, TokenFor: name})
}

func (s *Web) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if err := s.cfg.Auth.RevokeToken(r.Context(), subject(r), chi.URLParam(r, "id")); err != nil {
		return said(w, r, "/profile", err)
	}
	return redirect(w, r, "/profile#tokens", "ok", "Revoked.")
}

// endSession signs another of one's own browsers out.
func (s *Web) endSession(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	own, err := s.cfg.Store.UserSessions(ctx, subject(r).UserID)
	if err != nil {
		return err
	}
	for _, session := range own {
		if session.ID != id {
			continue
		}
		if err := s.cfg.Store.DeleteSession(ctx, id); err != nil {
			return err
		}
		s.cfg.Cache.Invalidate(cache.Sessions, "") // keyed by the cookie's hash, which pages never see
		return redirect(w, r, "/profile", "ok", "Signed out there.")
	}
	return octopus.Errorf(octopus.CodeNotFound, "This session has ended already.")
}
