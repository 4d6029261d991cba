package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/cache"
	"octopus/views"
)

// policy is on every page: nothing inline, nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm caps what a form may send.
const maxForm = 8 << 20

// handler is a page or an action; the error becomes a page with one sentence.
type handler func(w http.ResponseWriter, r *http.Request) error

// page turns a handler into what the router takes.
func (s *Web) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// signedIn sends whoever is not signed in to the door.
func (s *Web) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := auth.FromContext(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/events" {
			http.Error(w, "Sign in first.", http.StatusUnauthorized)
			return
		}
		to := "/login"
		if s.cfg.Auth.SetupNeeded(r.Context()) {
			to = "/setup"
		} else if r.Method == http.MethodGet && r.URL.Path != "/" && r.Header.Get("HX-Request") == "" {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		if r.Header.Get("HX-Request") != "" {
			w.Header().Set("HX-Redirect", to)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

// subject is who asks; routes behind [Web.signedIn] always have one.
func subject(r *http.Request) auth.Subject {
	who, _ := auth.FromContext(r.Context())
	return who
}

// allow checks the role for what a handler is about to do.
func allow(r *http.Request, a auth.Action) error { return auth.Can(subject(r), a, auth.Object{}) }

// frame is what every page has around its content. With topics the page follows them from this moment on: call it
// before anything is read, so that no change falls between the page and its stream.
func (s *Web) frame(w http.ResponseWriter, r *http.Request, section, title string, topics ...string) views.Page {
	p := views.Page{Title: title, Section: section, Version: s.cfg.Version, Viewer: s.viewer(r), Toast: takeToast(w, r)}
	if len(topics) > 0 {
		q := url.Values{"topics": {strings.Join(topics, ",")}, "since": {s.live.cursor()}}
		p.Events = "/events?" + q.Encode()
	}
	return p
}

// viewer is the signed-in user as pages need it.
func (s *Web) viewer(r *http.Request) *views.Viewer {
	who, ok := auth.FromContext(r.Context())
	if !ok {
		return nil
	}
	v := &views.Viewer{Username: who.Username, Name: who.Username, Role: who.Role}
	if user, err := s.user(r.Context(), who.UserID); err == nil {
		v.Zone, v.Theme = user.Zone, user.Theme
		if user.DisplayName != "" {
			v.Name = user.DisplayName
		}
	}
	return v
}

func viewerKey(id string) string { return "viewer:" + id }

func (s *Web) user(ctx context.Context, id string) (octopus.User, error) {
	return cache.Load(s.cfg.Cache, cache.Users, viewerKey(id), func() (octopus.User, error) {
		return s.cfg.Store.User(ctx, id)
	})
}

// crumbs is the way to a page; the last label has no address.
func crumbs(pairs ...string) (out []views.Crumb) {
	for i := 0; i < len(pairs); i += 2 {
		href := ""
		if i+1 < len(pairs) {
			href = pairs[i+1]
		}
		out = append(out, views.Crumb{Label: pairs[i], Href: href})
	}
	return out
}

// render writes a page, or a fragment, at once: nobody sees half of one.
func (s *Web) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var out bytes.Buffer
	if err := c.Render(r.Context(), &out); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(out.Bytes()) // a browser that went away is not our failure
	return nil
}

// statusOf translates an error for HTTP.
func statusOf(err error) int {
	switch octopus.CodeOf(err) {
	case octopus.CodeMalformed:
		return http.StatusBadRequest
	case octopus.CodeUnauthenticated:
		return http.StatusUnauthorized
	case octopus.CodeDenied:
		return http.StatusForbidden
	case octopus.CodeNotFound:
		return http.StatusNotFound
	case octopus.CodeConflict:
		return http.StatusConflict
	case octopus.CodeStale:
		return http.StatusPreconditionFailed
	case octopus.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case octopus.CodeInvalid:
		return http.StatusUnprocessableEntity
	case octopus.CodeRateLimited:
		return http.StatusTooManyRequests
	case octopus.CodeUnavailable:
		return http.StatusServiceUnavailable
	case octopus.CodeNoSpace:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// heading is the big line of a failure.
func heading(status int) string {
	switch status {
	case http.StatusNotFound:
		return "There is nothing here"
	case http.StatusForbidden:
		return "Not yours to do"
	case http.StatusInternalServerError:
		return "Something broke"
	case http.StatusServiceUnavailable:
		return "Not right now"
	}
	return "That did not work"
}

// fail shows an error in one sentence, as a page or as a remark in place.
func (s *Web) fail(w http.ResponseWriter, r *http.Request, err error) {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		err = octopus.Errorf(octopus.CodeTooLarge, "The form is larger than 8 MiB. Send less, or use the REST API.")
	}
	status := statusOf(err)
	if status == http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Error("page failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	var shown templ.Component
	if r.Header.Get("HX-Request") != "" && r.Header.Get("HX-Request-Type") == "partial" {
		shown = views.Problem(octopus.Sentence(err))
	} else {
		p := s.frame(w, r, "", heading(status))
		p.Crumbs = crumbs(heading(status))
		shown = views.FailurePage(views.Failure{Page: p, Code: status, Heading: heading(status), Sentence: octopus.Sentence(err)})
	}
	if err := s.render(w, r, status, shown); err != nil {
		http.Error(w, "Something went wrong inside Octopus.", http.StatusInternalServerError)
	}
}

func (s *Web) notFound(w http.ResponseWriter, r *http.Request) error {
	return octopus.Errorf(octopus.CodeNotFound, "No page has this address. It may have been removed, or the link is misspelled.")
}

// local keeps a path of this server and nothing else, so that a link cannot lead away after signing in.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
