package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
)

func (a *API) getMe(ctx context.Context, _ *struct{}) (*one[sdk.Me], error) {
	caller, _ := auth.FromContext(ctx)
	u, err := a.store.User(ctx, caller.UserID)
	if err != nil {
		return nil, err
	}
	out := sdk.Me{User: toUser(u), EffectiveRole: string(caller.Role), TokenID: caller.TokenID}
	if out.Params, err = a.vault.Params(ctx, u.ID); err != nil {
		a.log.Warn("a user's parameters cannot be read", "user", u.Username, "err", err) // who one is, is told all the same
	}
	return &one[sdk.Me]{Body: out}, nil
}

type updateMeInput struct {
	Body sdk.MePatch `contentType:"application/merge-patch+json"`
}

func (a *API) updateMe(ctx context.Context, in *updateMeInput) (*one[sdk.Me], error) {
	caller, _ := auth.FromContext(ctx)
	b := in.Body
	patch, err := paramsPatch(b.Params)
	if err == nil && len(patch) > 0 {
		err = a.patchParams(ctx, patch)
	}
	if err != nil {
		return nil, err
	}
	_, err = a.auth.UpdateUser(ctx, caller, caller.UserID, auth.UserChange{
		Email: b.Email, DisplayName: b.DisplayName, Zone: b.Zone, Theme: b.Theme,
	})
	if err != nil {
		return nil, err
	}
	return a.getMe(ctx, nil)
}

func (a *API) changePassword(ctx context.Context, in *struct{ Body sdk.ChangePassword }) (*struct{}, error) {
	caller, err := wholeRole(ctx, a)
	if err != nil {
		return nil, err
	}
	return nil, a.auth.ChangePassword(ctx, caller, in.Body.Old, in.Body.New)
}

// createLoginLink hands out a whole session, so that a token with less than its user's role may not.
func (a *API) createLoginLink(ctx context.Context, _ *struct{}) (*created[sdk.LoginLink], error) {
	caller, err := wholeRole(ctx, a)
	if err != nil {
		return nil, err
	}
	secret, err := a.auth.LoginLink(ctx, caller.Username)
	if err != nil {
		return nil, err
	}
	url := a.public + "/login/link/" + secret
	return made(url, false, sdk.LoginLink{URL: url, ExpiresAt: utc(a.now().Add(auth.LoginLinkTTL))}), nil
}

// wholeRole returns the caller if it holds all that its user does.
func wholeRole(ctx context.Context, a *API) (auth.Subject, error) {
	caller, _ := auth.FromContext(ctx)
	u, err := a.store.User(ctx, caller.UserID)
	if err != nil {
		return caller, err
	}
	if !caller.Role.Includes(u.Role) {
		return caller, octopus.Errorf(octopus.CodeDenied, "This API token holds the role %s, less than its user. Use a token with the role %s.", caller.Role, u.Role)
	}
	return caller, nil
}

func toToken(t octopus.Token) sdk.Token {
	return sdk.Token{
		ID: t.ID, Name: t.Name, Role: string(t.Role), CreatedAt: utc(t.CreatedAt), ExpiresAt: utc(t.ExpiresAt),
		LastUsed: utc(t.LastUsed), RevokedAt: utc(t.RevokedAt),
	}
}

func (a *API) listTokens(ctx context.Context, _ *struct{}) (*list[sdk.Token], error) {
	caller, _ := auth.FromContext(ctx)
	tokens, err := a.auth.MyTokens(ctx, caller)
	if err != nil {
		return nil, err
	}
	return page(tokens, "", toToken), nil
}

type createTokenInput struct {
	Keyed
	Body sdk.NewToken
}

// createToken shows the secret once: a repeat with the same key answers without it.
func (a *API) createToken(ctx context.Context, in *createTokenInput) (*created[sdk.Token], error) {
	claim, err := a.claim(ctx, in.Keyed, "POST /tokens", octopus.PrefixToken)
	if err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	if claim.replay {
		mine, err := a.auth.MyTokens(ctx, caller)
		if err != nil {
			return nil, err
		}
		for _, t := range mine {
			if t.ID == claim.id {
				return made("", true, toToken(t)), nil
			}
		}
	}
	t, secret, err := a.auth.MakeToken(ctx, caller, auth.NewToken{
		ID: claim.id, Name: in.Body.Name, Role: octopus.Role(in.Body.Role), TTL: duration(in.Body.TTLSeconds),
	})
	if err != nil {
		return nil, a.release(ctx, claim, err)
	}
	out := made(Prefix+"/tokens/"+t.ID, false, toToken(t))
	out.Body.Secret = secret
	return out, nil
}

func (a *API) revokeToken(ctx context.Context, in *TokenID) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.auth.RevokeToken(ctx, caller, in.ID)
}
