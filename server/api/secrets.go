package api

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/catalog"
)

func toSecret(s octopus.Secret, uses []catalog.SecretUse) sdk.Secret {
	out := sdk.Secret{
		Name: s.Name, CreatedAt: utc(s.CreatedAt), CreatedBy: s.CreatedBy, UpdatedAt: utc(s.UpdatedAt), UpdatedBy: s.UpdatedBy,
		LastUsed: utc(s.LastUsed), LastUsedBy: s.LastUsedBy,
	}
	for _, u := range uses {
		out.Grants = append(out.Grants, sdk.SecretUse{Plugin: u.Plugin, Version: u.Version, As: u.As, Expose: u.Expose})
	}
	return out
}

func (a *API) listSecrets(ctx context.Context, _ *struct{}) (*list[sdk.Secret], error) {
	secrets, err := a.store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	uses, err := a.catalog.SecretUses(ctx)
	if err != nil {
		return nil, err
	}
	return page(secrets, "", func(s octopus.Secret) sdk.Secret { return toSecret(s, uses[s.Name]) }), nil
}

// SecretName is the path of one secret.
type SecretName struct {
	Name string `path:"name" maxLength:"128" doc:"Name of the secret."`
}

type setSecretInput struct {
	SecretName
	Body sdk.SetSecret
}

// setSecret is safe to repeat: it replaces the value.
func (a *API) setSecret(ctx context.Context, in *setSecretInput) (*one[sdk.Secret], error) {
	caller, _ := auth.FromContext(ctx)
	if _, err := a.vault.Set(ctx, in.Name, in.Body.Value, caller.Username); err != nil {
		return nil, err
	}
	s, err := a.store.SecretNamed(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &one[sdk.Secret]{Body: toSecret(s, nil)}, nil
}

func (a *API) removeSecret(ctx context.Context, in *SecretName) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.vault.Remove(ctx, in.Name, caller.Username)
}

func (a *API) rotateSecrets(ctx context.Context, in *struct{ Body sdk.RotateSecrets }) (*one[sdk.RotatedSecrets], error) {
	caller, _ := auth.FromContext(ctx)
	key, done, err := a.vault.Rotate(ctx, caller.Username, in.Body.Forget)
	if err != nil {
		return nil, err
	}
	return &one[sdk.RotatedSecrets]{Body: sdk.RotatedSecrets{Key: key, Kept: done.Kept, Removed: done.Removed}}, nil
}

func (a *API) getParams(ctx context.Context, _ *struct{}) (*one[map[string]json.RawMessage], error) {
	caller, _ := auth.FromContext(ctx)
	params, err := a.vault.Params(ctx, caller.UserID)
	if err != nil {
		return nil, err
	}
	return &one[map[string]json.RawMessage]{Body: params}, nil
}

// ParamsCategory is the path of one category of parameters.
type ParamsCategory struct {
	Category string `path:"category" maxLength:"128" doc:"Category of the parameters, as plugins ask for it."`
}

type setParamsInput struct {
	ParamsCategory
	Body map[string]json.RawMessage `doc:"The parameters of the category, any JSON object."`
}

func (a *API) setParams(ctx context.Context, in *setParamsInput) (*struct{}, error) {
	raw, err := json.Marshal(in.Body)
	if err != nil {
		return nil, err
	}
	return nil, a.patchParams(ctx, map[string]json.RawMessage{in.Category: raw})
}

func (a *API) removeParams(ctx context.Context, in *ParamsCategory) (*struct{}, error) {
	return nil, a.patchParams(ctx, map[string]json.RawMessage{in.Category: json.RawMessage("null")})
}

func (a *API) patchParams(ctx context.Context, patch map[string]json.RawMessage) error {
	caller, _ := auth.FromContext(ctx)
	return a.vault.SetParams(ctx, caller.UserID, patch)
}

// paramsPatch reads the member params of a merge patch: a category each, null removes it.
func paramsPatch(raw json.RawMessage) (patch map[string]json.RawMessage, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if json.Unmarshal(raw, &patch) != nil {
		return nil, octopus.InvalidField("/params", "The parameters must be a JSON object with an object for each category.")
	}
	return patch, nil
}
