package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
)

func toJoinToken(t octopus.JoinToken) sdk.JoinToken {
	return sdk.JoinToken{
		ID: t.ID, Name: t.Name, Labels: t.Labels, Uses: t.Uses, MaxUses: t.MaxUses, CreatedBy: t.CreatedBy,
		CreatedAt: utc(t.CreatedAt), ExpiresAt: utc(t.ExpiresAt), RevokedAt: utc(t.RevokedAt),
	}
}

func (a *API) listJoinTokens(ctx context.Context, _ *struct{}) (*list[sdk.JoinToken], error) {
	tokens, err := a.store.JoinTokens(ctx)
	if err != nil {
		return nil, err
	}
	return page(tokens, "", toJoinToken), nil
}

type createJoinTokenInput struct {
	Keyed
	Body sdk.NewJoinToken
}

// createJoinToken makes one for a single machine unless the body says otherwise. The secret is shown once: a
// repeat with the same key answers without it.
func (a *API) createJoinToken(ctx context.Context, in *createJoinTokenInput) (*created[sdk.JoinToken], error) {
	claim, err := a.claim(ctx, in.Keyed, "POST /agents/tokens", octopus.PrefixToken)
	if err != nil {
		return nil, err
	}
	if claim.replay {
		if t, err := a.joinToken(ctx, claim.id); err == nil {
			return made("", true, toJoinToken(t)), nil
		}
	}
	uses := 1
	if in.Body.MaxUses != nil {
		uses = *in.Body.MaxUses
	}
	caller, _ := auth.FromContext(ctx)
	t, secret, err := a.auth.MakeJoinToken(ctx, caller, auth.NewJoinToken{
		ID: claim.id, Name: in.Body.Name, Labels: in.Body.Labels, MaxUses: uses, TTL: duration(in.Body.TTLSeconds),
	})
	if err != nil {
		return nil, a.release(ctx, claim, err)
	}
	out := made(Prefix+"/agents/tokens/"+t.ID, false, toJoinToken(t))
	out.Body.Secret = secret
	return out, nil
}

func (a *API) joinToken(ctx context.Context, id string) (octopus.JoinToken, error) {
	tokens, err := a.store.JoinTokens(ctx)
	if err != nil {
		return octopus.JoinToken{}, err
	}
	for _, t := range tokens {
		if t.ID == id {
			return t, nil
		}
	}
	return octopus.JoinToken{}, octopus.Errorf(octopus.CodeNotFound, "There is no join token %s. octopus agents tokens list shows them.", short(id, 40))
}

// TokenID is the path of one token.
type TokenID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the token, not its secret."`
}

func (a *API) revokeJoinToken(ctx context.Context, in *TokenID) (*struct{}, error) {
	t, err := a.joinToken(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, a.store.RevokeJoinToken(ctx, t.ID)
}
