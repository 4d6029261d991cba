package web

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/cache"
	"octopus/views"
)

func (s *Web) userRoutes(r chi.Router) {
	r.Get("/users", s.page(s.users))
	r.Post("/users", s.page(s.createUser))
	r.Get("/users/{id}", s.page(s.userPage))
	r.Post("/users/{id}", s.page(s.saveUser))
	r.Post("/users/{id}/{verb}", s.page(s.userVerb))
}

func (s *Web) users(w http.ResponseWriter, r *http.Request) error {
	return s.showUsers(w, r, http.StatusOK, views.UserForm{Role: octopus.RoleUser})
}

func (s *Web) showUsers(w http.ResponseWriter, r *http.Request, status int, form views.UserForm) error {
	if err := allow(r, auth.UserManage); err != nil {
		return err
	}
	m := views.Users{Page: s.frame(w, r, "users", "Users"), Form: form}
	m.Crumbs, m.CLI = crumbs("Users"), "octopus users list"
	var err error
	if m.Rows, err = s.cfg.Store.Users(r.Context()); err != nil {
		return err
	}
	return s.render(w, r, status, views.UsersPage(m))
}

func userForm(r *http.Request) views.UserForm {
	return views.UserForm{
		Username: strings.TrimSpace(r.FormValue("username")), Email: strings.TrimSpace(r.FormValue("email")),
		Name: strings.TrimSpace(r.FormValue("name")), Role: octopus.Role(r.FormValue("role")),
	}
}

// noted puts an error into a form; it reports whether err was about the form.
func noted(form *views.UserForm, err error) bool {
	if octopus.CodeOf(err) == octopus.CodeInternal {
		return false
	}
	if form.Errors = fieldErrors(err); len(form.Errors) == 0 {
		form.Problem = octopus.Sentence(err)
	}
	return true
}

func (s *Web) createUser(w http.ResponseWriter, r *http.Request) error {
	form := userForm(r)
	u, err := s.cfg.Auth.CreateUser(r.Context(), subject(r), auth.NewUser{
		Username: form.Username, Password: r.FormValue("password"), Email: form.Email, DisplayName: form.Name, Role: form.Role,
	})
	if err != nil {
		if octopus.CodeOf(err) == octopus.CodeDenied || !noted(&form, err) {
			return err
		}
		return s.showUsers(w, r, statusOf(err), form)
	}
	return redirect(w, r, "/users", "ok", "Created "+u.Username+".")
}

func (s *Web) userPage(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.UserManage); err != nil {
		return err
	}
	u, err := s.cfg.Store.User(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	form := views.UserForm{ID: u.ID, Username: u.Username, Email: u.Email, Name: u.DisplayName, Role: u.Role, Active: u.Active}
	return s.showUser(w, r, http.StatusOK, u, form)
}

func (s *Web) showUser(w http.ResponseWriter, r *http.Request, status int, u octopus.User, form views.UserForm) error {
	m := views.User{Page: s.frame(w, r, "users", u.Username), User: u, Form: form, Self: u.ID == subject(r).UserID}
	m.Crumbs, m.CLI = crumbs("Users", "/users", u.Username), "octopus users get "+u.Username
	return s.render(w, r, status, views.UserPage(m))
}

func (s *Web) saveUser(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	u, err := s.cfg.Store.User(ctx, id)
	if err != nil {
		return err
	}
	form := userForm(r)
	form.ID, form.Username, form.Active = u.ID, u.Username, u.Active
	change := auth.UserChange{Email: &form.Email, DisplayName: &form.Name}
	if form.Role != u.Role { // a change of role ends sessions: none is no change
		change.Role = &form.Role
	}
	if p := r.FormValue("password"); p != "" {
		change.Password = &p
	}
	if _, err := s.cfg.Auth.UpdateUser(ctx, subject(r), id, change); err != nil {
		if octopus.CodeOf(err) == octopus.CodeDenied || !noted(&form, err) {
			return err
		}
		return s.showUser(w, r, statusOf(err), u, form)
	}
	s.cfg.Cache.Invalidate(cache.Users, viewerKey(u.ID))
	return redirect(w, r, "/users/"+u.ID, "ok", "Saved.")
}

func (s *Web) userVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, id, who := r.Context(), chi.URLParam(r, "id"), subject(r)
	back, done := "/users/"+id, "Deactivated: sessions and tokens stopped working."
	var err error
	switch chi.URLParam(r, "verb") {
	case "activate":
		yes := true
		done = "Activated."
		_, err = s.cfg.Auth.UpdateUser(ctx, who, id, auth.UserChange{Active: &yes})
	case "deactivate":
		no := false
		_, err = s.cfg.Auth.UpdateUser(ctx, who, id, auth.UserChange{Active: &no})
	case "delete":
		if err = s.cfg.Auth.DeleteUser(ctx, who, id); err == nil {
			back, done = "/users", "Deleted."
		}
	default:
		return s.notFound(w, r)
	}
	if octopus.CodeOf(err) == octopus.CodeDenied {
		return err
	}
	if err != nil {
		return said(w, r, back, err)
	}
	return redirect(w, r, back, "ok", done)
}
