package auth

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
)

// Tokens puts the subject of "Authorization: Bearer oct_…" into the request's context. Requests without an
// Authorization header pass unchanged, those with a bad one have no subject: [Require] says why.
func (a *Auth) Tokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if header == "" {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		subject, err := a.subjectOfHeader(ctx, header)
		if err != nil {
			ctx = withRefusal(ctx, err)
		} else {
			ctx = WithSubject(ctx, subject)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (a *Auth) subjectOfHeader(ctx context.Context, header string) (Subject, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 128 {
		return Subject{}, octopus.Errorf(octopus.CodeUnauthenticated, "The Authorization header must read \"Bearer oct_…\": an API token of Octopus.")
	}
	return a.subjectOfToken(ctx, secret)
}

// subjectOfToken costs no query while the token and its user are cached; its last use is written in batches.
func (a *Auth) subjectOfToken(ctx context.Context, secret string) (Subject, error) {
	token, err := cache.Load(a.cache, cache.Sessions, "token:"+hashKey(secret), func() (octopus.Token, error) {
		return a.store.TokenByHash(ctx, HashSecret(secret))
	})
	switch {
	case octopus.CodeOf(err) == octopus.CodeNotFound:
		return Subject{}, octopus.Errorf(octopus.CodeUnauthenticated, "This server does not know the API token. Make one under Tokens, or with octopus tokens create.")
	case err != nil:
		return Subject{}, err
	case !token.RevokedAt.IsZero():
		return Subject{}, octopus.Errorf(octopus.CodeUnauthenticated, "This API token was revoked. Make another one.")
	case !token.ExpiresAt.IsZero() && !a.now().Before(token.ExpiresAt):
		return Subject{}, octopus.Errorf(octopus.CodeUnauthenticated, "This API token has expired. Make another one.")
	}
	user, err := a.activeUser(ctx, token.UserID)
	if err != nil {
		return Subject{}, err
	}
	a.store.TouchToken(token.ID)
	role := token.Role
	if !user.Role.Includes(role) {
		role = user.Role // the user was given less since
	}
	return Subject{UserID: user.ID, Username: user.Username, Role: role, TokenID: token.ID, Kind: KindToken}, nil
}

// NewToken is what [Auth.MakeToken] needs.
type NewToken struct {
	ID   string // "" makes one
	Name string
	Role octopus.Role  // at most the subject's; "" is the subject's
	TTL  time.Duration // 0 never expires
}

// CreateToken is [Auth.MakeToken] without a chosen id.
func (a *Auth) CreateToken(ctx context.Context, s Subject, name string, role octopus.Role, ttl time.Duration) (octopus.Token, string, error) {
	return a.MakeToken(ctx, s, NewToken{Name: name, Role: role, TTL: ttl})
}

// MakeToken makes an API token of the subject's own. The secret is returned once and never stored.
func (a *Auth) MakeToken(ctx context.Context, s Subject, n NewToken) (octopus.Token, string, error) {
	if err := Can(s, TokenSelf, Object{}); err != nil {
		return octopus.Token{}, "", err
	}
	role, name, ttl := cmp.Or(n.Role, s.Role), strings.TrimSpace(n.Name), n.TTL
	switch {
	case name == "" || len(name) > 128:
		return octopus.Token{}, "", octopus.InvalidField("/name", "A token needs a name of at most 128 bytes, so that you know it again.")
	case !role.Includes(octopus.RoleViewer):
		return octopus.Token{}, "", octopus.InvalidField("/role", "The role is one of viewer, user, operator and admin.")
	case !s.Role.Includes(role):
		return octopus.Token{}, "", octopus.Errorf(octopus.CodeDenied, "A token may hold at most your own role, %s.", s.Role)
	case ttl < 0:
		return octopus.Token{}, "", octopus.InvalidField("/ttl_seconds", "The time to live cannot be negative.")
	}
	secret, now := newSecret(tokenPrefix), a.now()
	token := octopus.Token{
		ID: cmp.Or(n.ID, octopus.NewID(octopus.PrefixToken, now)), Name: name, Hash: HashSecret(secret),
		UserID: s.UserID, Role: role, CreatedAt: now,
	}
	if ttl > 0 {
		token.ExpiresAt = now.Add(ttl)
	}
	if err := a.store.CreateToken(ctx, token); err != nil {
		return octopus.Token{}, "", err
	}
	a.log.Info("API token made", "user", s.Username, "token", token.ID, "role", role)
	return token, secret, nil
}

// MyTokens lists the subject's own tokens, without their hashes.
func (a *Auth) MyTokens(ctx context.Context, s Subject) ([]octopus.Token, error) {
	if err := Can(s, TokenSelf, Object{}); err != nil {
		return nil, err
	}
	return a.store.Tokens(ctx, s.UserID)
}

// RevokeToken ends a token at once, on every server: one's own, or anybody's for an administrator. Others'
// tokens do not exist for whoever may not see them.
func (a *Auth) RevokeToken(ctx context.Context, s Subject, id string) error {
	owner := s.UserID
	if Can(s, UserManage, Object{}) == nil {
		owner = "" // everybody's
	} else if err := Can(s, TokenSelf, Object{}); err != nil {
		return err
	}
	tokens, err := a.store.Tokens(ctx, owner)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.ID != id {
			continue
		}
		if err := a.store.RevokeToken(ctx, id); err != nil {
			return err
		}
		a.cache.Invalidate(cache.Sessions, "token:"+hex.EncodeToString(t.Hash))
		a.log.Info("API token revoked", "by", s.Username, "token", id)
		return nil
	}
	return octopus.Errorf(octopus.CodeNotFound, "There is no token %s of yours. octopus tokens list shows them.", shorten(id, 40))
}
