package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/views"
)

// doorRoutes are for those who are not signed in.
func (s *Web) doorRoutes(r chi.Router) {
	r.Get("/login", s.page(s.loginForm))
	r.Post("/login", s.page(s.login))
	r.Post("/logout", s.page(s.logout))
	r.Get("/login/link/{secret}", s.page(s.linkForm))
	r.Post("/login/link/{secret}", s.page(s.link))
	r.Get("/setup", s.page(s.setupForm))
	r.Post("/setup", s.page(s.setup))
}

func (s *Web) loginForm(w http.ResponseWriter, r *http.Request) error {
	next := local(r.FormValue("next"))
	if _, ok := auth.FromContext(r.Context()); ok {
		return redirect(w, r, next, "", "")
	}
	if s.cfg.Auth.SetupNeeded(r.Context()) {
		return redirect(w, r, "/setup", "", "")
	}
	m := views.Login{Page: views.Page{Title: "Sign in", Toast: takeToast(w, r)}, Next: next}
	return s.render(w, r, http.StatusOK, views.LoginPage(m))
}

func (s *Web) login(w http.ResponseWriter, r *http.Request) error {
	name, next := r.FormValue("username"), local(r.FormValue("next"))
	a := s.cfg.Auth
	cookie, err := a.Login(r.Context(), name, r.FormValue("password"), a.ClientIP(r), r.UserAgent())
	if err != nil {
		if statusOf(err) == http.StatusInternalServerError {
			return err
		}
		m := views.Login{Page: views.Page{Title: "Sign in"}, Username: name, Next: next, Problem: octopus.Sentence(err)}
		return s.render(w, r, statusOf(err), views.LoginPage(m))
	}
	a.SetCookie(w, cookie)
	return redirect(w, r, next, "", "")
}

func (s *Web) logout(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(auth.CookieName); err == nil {
		if err := s.cfg.Auth.Logout(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.cfg.Auth.ClearCookie(w)
	return redirect(w, r, "/login", "", "")
}

// linkForm shows the button. It spends nothing: previews and prefetches open links, too.
func (s *Web) linkForm(w http.ResponseWriter, r *http.Request) error {
	m := views.LoginLink{Page: views.Page{Title: "Sign in"}, Secret: chi.URLParam(r, "secret")}
	status := http.StatusOK
	user, err := s.cfg.Auth.CheckLoginLink(r.Context(), m.Secret, s.cfg.Auth.ClientIP(r))
	if err != nil {
		m.Problem, status = octopus.Sentence(err), statusOf(err)
	}
	m.Username = user.Username
	return s.render(w, r, status, views.LoginLinkPage(m))
}

func (s *Web) link(w http.ResponseWriter, r *http.Request) error {
	m := views.LoginLink{Page: views.Page{Title: "Sign in"}, Secret: chi.URLParam(r, "secret")}
	a := s.cfg.Auth
	cookie, err := a.ConsumeLoginLink(r.Context(), m.Secret, a.ClientIP(r), r.UserAgent())
	if err != nil {
		m.Problem = octopus.Sentence(err)
		return s.render(w, r, statusOf(err), views.LoginLinkPage(m))
	}
	a.SetCookie(w, cookie)
	return redirect(w, r, "/", "", "")
}

func (s *Web) setupForm(w http.ResponseWriter, r *http.Request) error {
	if !s.cfg.Auth.SetupNeeded(r.Context()) {
		return redirect(w, r, "/", "", "")
	}
	m := views.Setup{Page: views.Page{Title: "Set up"}, Code: r.FormValue("code")}
	return s.render(w, r, http.StatusOK, views.SetupPage(m))
}

func (s *Web) setup(w http.ResponseWriter, r *http.Request) error {
	m := views.Setup{Page: views.Page{Title: "Set up"}, Code: r.FormValue("code"), Username: r.FormValue("username")}
	a := s.cfg.Auth
	cookie, err := a.Setup(r.Context(), m.Code, m.Username, r.FormValue("password"), a.ClientIP(r), r.UserAgent())
	if err != nil {
		m.Fields = fieldErrors(err)
		if len(m.Fields) == 0 {
			m.Problem = octopus.Sentence(err)
		}
		return s.render(w, r, statusOf(err), views.SetupPage(m))
	}
	a.SetCookie(w, cookie)
	return redirect(w, r, "/", "ok", "Welcome to Octopus. Add a machine, or look at what already runs.")
}
