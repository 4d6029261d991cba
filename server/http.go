package server

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/deploy"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/api"
)

// Limits on what a peer may send before anybody looks at it.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// handler mounts everything that the server answers. The agents' routes come first: they take over their
// connections, so nothing may wrap their writer.
func (s *Server) handler() http.Handler {
	root := chi.NewRouter()
	root.Use(recoverer(s.cfg.Log), s.realIP, requestIDs, headers, paceBodies(bodyPatience))
	agents := s.hub.Routes()
	root.Handle("/api/v1/agent/*", agents)
	root.Handle(wire.PathHeartbeat, agents)
	root.Mount("/dist", s.dist.routes())
	root.Get("/install.sh", installer(deploy.InstallSh, s.url))
	root.Get("/install.ps1", installer(deploy.InstallPs1, s.url))
	s.api.Mount(root)
	root.Mount("/", s.web.Routes())
	return http.NewCrossOriginProtection().Handler(root)
}

// requestIDs names each request, unless a proxy did. The router's own ids would tell this machine's name.
func requestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = octopus.NewID("req_", time.Now())
		}
		next.ServeHTTP(w, r.WithContext(api.WithRequestID(r.Context(), id)))
	})
}

// headers are on every answer. Pages add their own content security policy.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// recoverer turns a panic into a log line with its stack and a plain 500 without one.
func recoverer(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				p := recover()
				if p == nil {
					return
				}
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				http.Error(w, "Something went wrong inside Octopus. The server's log has the details.", http.StatusInternalServerError)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// realIP replaces RemoteAddr by the client that a trusted proxy speaks for: the last address in
// X-Forwarded-For that is not itself a trusted proxy.
func (s *Server) realIP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forwarded := r.Header.Values("X-Forwarded-For"); len(forwarded) > 0 && s.trusted(hostOf(r.RemoteAddr)) {
			hops := strings.Split(strings.Join(forwarded, ","), ",")
			for i := len(hops) - 1; i >= 0; i-- {
				hop := strings.TrimSpace(hops[i])
				if _, err := netip.ParseAddr(hop); err != nil {
					break
				}
				r.RemoteAddr = net.JoinHostPort(hop, "0")
				if !s.trusted(hop) {
					break
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) trusted(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
