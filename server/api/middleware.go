package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
)

// requestID gives each request an id that errors and the log share. One that the server gave already is kept,
// one from outside only where it is short and plain.
func (a *API) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		id := requestIDOf(ctx)
		if !plainID(id) {
			id = octopus.NewID("req_", time.Now())
			r = r.WithContext(WithRequestID(ctx, id))
		}
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func plainID(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

type requestIDKey struct{}

// WithRequestID gives a request the id that [API] answers with, in X-Request-Id and in errors, where it is short and
// plain.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestIDOf is "" where the request has none.
func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// sameOrigin refuses requests that change something, come with a browser's cookie, and from another site.
// Requests with a token carry their proof themselves: no other site's page can make a browser send it.
func (a *API) sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := auth.FromContext(r.Context()); ok && s.Kind == auth.KindSession {
			if err := a.origin.Check(r); err != nil {
				a.refuse(w, r, octopus.Errorf(octopus.CodeDenied, "This request came from another site's page. Use Octopus's own pages, or an API token."))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// answerPanics turns a bug into a 500 with its request id, and into a log line with its stack.
func (a *API) answerPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			a.log.Error("request panicked", "request", requestIDOf(r.Context()), "method", r.Method, "path", r.URL.Path,
				"panic", p, "stack", string(debug.Stack()))
			w.Header().Del("Content-Length")
			a.refuse(w, r, octopus.Errorf(octopus.CodeInternal, "Something went wrong inside Octopus. The server's log has the details."))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse writes a problem outside of huma.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.toProblem(r.Context(), err)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// plainURL refuses addresses that are no text: no database stores them.
func (a *API) plainURL(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if text := r.URL.Path + query; err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			a.refuse(w, r, octopus.Errorf(octopus.CodeMalformed, "The address has bytes that are no text. Escape it as UTF-8."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// needs is the middleware of one operation: who is calling, and may they? It runs before the body is read.
func (a *API) needs(action auth.Action) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if _, err := auth.Allow(ctx.Context(), action, auth.Object{}); err != nil {
			a.refuseHuma(ctx, err)
			return
		}
		next(ctx)
	}
}

func (a *API) refuseHuma(ctx huma.Context, err error) {
	p := a.toProblem(ctx.Context(), err)
	for name, values := range p.GetHeaders() {
		ctx.SetHeader(name, values[0])
	}
	raw, _ := json.Marshal(p) // strings and numbers
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetHeader("Content-Length", strconv.Itoa(len(raw))) // whole at once, also where the request still arrives
	ctx.SetStatus(p.Status)
	_, _ = ctx.BodyWriter().Write(raw)
}

// methods are tried to tell "wrong method" from "no such address".
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// unknownRoute answers what no route took: 405 where another method would do, else 404.
func (a *API) unknownRoute(router chi.Router) http.HandlerFunc {
	const wildcard = Prefix + "/*"
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range methods {
			if pattern := router.Find(chi.NewRouteContext(), m, r.URL.Path); pattern != "" && pattern != wildcard && !strings.HasSuffix(pattern, "/*") {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			p := newProblem(http.StatusMethodNotAllowed, octopus.CodeMalformed, "This address does not take "+short(r.Method, 16)+", but "+strings.Join(allowed, ", ")+".")
			p.RequestID = requestIDOf(r.Context())
			a.refuse(w, r, p)
			return
		}
		a.refuse(w, r, octopus.Errorf(octopus.CodeNotFound, "There is no such address. /openapi.json describes those that exist."))
	}
}
