package auth

import (
	"cmp"
	"context"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// CreateJoinToken makes a join token, with which machines enrol themselves. The secret is returned once; the
// hub looks it up by [HashSecret]. A maxUses of 0 has no limit, a ttl of 0 is [JoinTokenTTL]. Labels are forced
// on the agents that use it.
func (a *Auth) CreateJoinToken(ctx context.Context, s Subject, name string, labels map[string]string, maxUses int, ttl time.Duration) (octopus.JoinToken, string, error) {
	if err := Can(s, AgentManage, Object{}); err != nil {
		return octopus.JoinToken{}, "", err
	}
	if maxUses < 0 || ttl < 0 {
		return octopus.JoinToken{}, "", octopus.InvalidField("/max_uses", "Uses and time to live cannot be negative.")
	}
	secret, now := newSecret(joinPrefix), a.now()
	token := octopus.JoinToken{
		ID: octopus.NewID(octopus.PrefixToken, now), Hash: HashSecret(secret), Labels: labels, MaxUses: maxUses,
		Name:      cmp.Or(strings.TrimSpace(name), "join-"+now.UTC().Format("20060102-150405")),
		CreatedAt: now, CreatedBy: s.Username, ExpiresAt: now.Add(cmp.Or(ttl, JoinTokenTTL)),
	}
	if err := a.store.CreateJoinToken(ctx, token); err != nil {
		return octopus.JoinToken{}, "", err
	}
	a.log.Info("join token made", "by", s.Username, "token", token.ID, "uses", maxUses)
	return token, secret, nil
}
