package auth

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// NewJoinToken is what [Auth.MakeJoinToken] needs.
type NewJoinToken struct {
	ID      string            // "" makes one
	Name    string            // "" makes one of the time
	Labels  map[string]string // forced on agents that use it
	MaxUses int               // 0: no limit
	TTL     time.Duration     // 0: [JoinTokenTTL]
}

// CreateJoinToken is [Auth.MakeJoinToken] without a chosen id.
func (a *Auth) CreateJoinToken(ctx context.Context, s Subject, name string, labels map[string]string, maxUses int, ttl time.Duration) (octopus.JoinToken, string, error) {
	return a.MakeJoinToken(ctx, s, NewJoinToken{Name: name, Labels: labels, MaxUses: maxUses, TTL: ttl})
}

// MakeJoinToken makes a join token, with which machines enrol themselves. The secret is returned once; the hub
// looks it up by [HashSecret].
func (a *Auth) MakeJoinToken(ctx context.Context, s Subject, n NewJoinToken) (octopus.JoinToken, string, error) {
	if err := Can(s, AgentManage, Object{}); err != nil {
		return octopus.JoinToken{}, "", err
	}
	if n.MaxUses < 0 || n.TTL < 0 {
		return octopus.JoinToken{}, "", octopus.InvalidField("/max_uses", "Uses and time to live cannot be negative.")
	}
	if err := octopus.CheckLabels(n.Labels); err != nil {
		return octopus.JoinToken{}, "", err
	}
	secret, now := newSecret(joinPrefix), a.now()
	token := octopus.JoinToken{
		ID: cmp.Or(n.ID, octopus.NewID(octopus.PrefixToken, now)), Hash: HashSecret(secret), Labels: n.Labels, MaxUses: n.MaxUses,
		Name:      cmp.Or(strings.TrimSpace(n.Name), "join-"+now.UTC().Format("20060102-150405")),
		CreatedAt: now, CreatedBy: s.Username, ExpiresAt: now.Add(cmp.Or(n.TTL, JoinTokenTTL)),
	}
	if err := a.store.CreateJoinToken(ctx, token); err != nil {
		return octopus.JoinToken{}, "", err
	}
	a.log.Info("join token made", "by", s.Username, "token", token.ID, "uses", n.MaxUses)
	return token, secret, nil
}

// MayEnrol refuses an address that tried too many join tokens which nobody made. A token has 256 random bits, so
// nobody guesses one; but no address may keep the database busy with trying. The error is CodeRateLimited.
func (a *Auth) MayEnrol(r *http.Request) error {
	return a.slow.check(enrolKey(a, r), a.now())
}

// NotEnrolled counts a refused attempt to enrol against its address.
func (a *Auth) NotEnrolled(r *http.Request) { a.slow.fail(enrolKey(a, r), ipFree, a.now()) }

func enrolKey(a *Auth, r *http.Request) string { return "enrol:" + a.ClientIP(r) }
