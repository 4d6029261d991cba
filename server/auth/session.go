package auth

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
)

// open stores a new session of user and returns the cookie's secret.
func (a *Auth) open(ctx context.Context, user octopus.User, ip, userAgent string) (string, error) {
	secret, now := newSecret(""), a.now()
	err := a.store.CreateSession(ctx, octopus.Session{
		ID: octopus.NewID(octopus.PrefixSession, now), Hash: HashSecret(secret), UserID: user.ID,
		CreatedAt: now, ExpiresAt: now.Add(SessionTTL), UserAgent: plain(shorten(userAgent, 256)), RemoteIP: ip,
	})
	if err != nil {
		return "", err
	}
	a.log.Info("signed in", "user", user.Username, "ip", ip)
	return secret, nil
}

// Logout ends the session of a cookie, on every server at once. An unknown cookie is no error.
func (a *Auth) Logout(ctx context.Context, cookie string) error {
	session, err := a.store.SessionByHash(ctx, HashSecret(cookie))
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	err = a.store.DeleteSession(ctx, session.ID)
	a.cache.Invalidate(cache.Sessions, hashKey(cookie))
	return err
}

// endSessions ends a user's sessions but one ("" ends all), on every server at once.
func (a *Auth) endSessions(ctx context.Context, userID, exceptID string) error {
	sessions, err := a.store.UserSessions(ctx, userID)
	if err != nil {
		return err
	}
	if err := a.store.DeleteUserSessions(ctx, userID, exceptID); err != nil {
		return err
	}
	for _, s := range sessions {
		if s.ID != exceptID {
			a.cache.Invalidate(cache.Sessions, hex.EncodeToString(s.Hash))
		}
	}
	return nil
}

// subjectOfCookie returns who a cookie belongs to, and whether its expiry was moved on.
func (a *Auth) subjectOfCookie(ctx context.Context, secret string) (s Subject, slid bool, err error) {
	if len(secret) != secretLength {
		return Subject{}, false, errNoSession
	}
	key := hashKey(secret)
	session, err := cache.Load(a.cache, cache.Sessions, key, func() (octopus.Session, error) {
		return a.store.SessionByHash(ctx, HashSecret(secret))
	})
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return Subject{}, false, errNoSession
	}
	if err != nil {
		return Subject{}, false, err
	}
	now := a.now()
	if !now.Before(session.ExpiresAt) {
		return Subject{}, false, errNoSession
	}
	user, err := a.activeUser(ctx, session.UserID)
	if err != nil {
		return Subject{}, false, err
	}
	if session.ExpiresAt.Sub(now) < SessionTTL/2 {
		if err := a.store.ExtendSession(ctx, session.ID, now.Add(SessionTTL)); err != nil {
			return Subject{}, false, err
		}
		a.cache.Invalidate(cache.Sessions, key)
		slid = true
	}
	return Subject{UserID: user.ID, Username: user.Username, Role: user.Role, SessionID: session.ID, Kind: KindSession}, slid, nil
}

var errNoSession = octopus.Errorf(octopus.CodeUnauthenticated, "Your session has ended. Sign in again.")

// activeUser returns a user that may still do something.
func (a *Auth) activeUser(ctx context.Context, id string) (octopus.User, error) {
	user, err := a.user(ctx, id)
	switch {
	case octopus.CodeOf(err) == octopus.CodeNotFound:
		return user, octopus.Errorf(octopus.CodeUnauthenticated, "This account was removed. Ask an administrator.")
	case err != nil:
		return user, err
	case !user.Active:
		return user, octopus.Errorf(octopus.CodeUnauthenticated, "This account is switched off. Ask an administrator.")
	}
	return user, nil
}

// Sessions puts the subject of a valid session cookie into the request's context and moves its expiry on.
// Requests without one pass unchanged: handlers ask [Require] or [FromContext]. A request that already has a
// subject, or carries an Authorization header, is left alone.
func (a *Auth) Sessions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		cookie, err := r.Cookie(CookieName)
		if _, known := FromContext(ctx); err != nil || known || r.Header.Get("Authorization") != "" {
			next.ServeHTTP(w, r)
			return
		}
		subject, slid, err := a.subjectOfCookie(ctx, cookie.Value)
		if err != nil {
			next.ServeHTTP(w, r.WithContext(withRefusal(ctx, err)))
			return
		}
		if slid {
			a.SetCookie(w, cookie.Value)
		}
		next.ServeHTTP(w, r.WithContext(WithSubject(ctx, subject)))
	})
}

// SetCookie writes the session cookie: unreadable for scripts, not sent along by other sites' forms.
func (a *Auth) SetCookie(w http.ResponseWriter, secret string) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Value: secret, Path: "/", MaxAge: int(SessionTTL / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure,
	})
}

// ClearCookie removes it.
func (a *Auth) ClearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.secure,
	})
}

// ClientIP is the caller's address. The server has put the one that a trusted proxy speaks for into RemoteAddr.
func (a *Auth) ClientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
