package api

import (
	"context"

	"octopus/internal/wire"
	"octopus/sdk"
	"octopus/server/auth"
)

// toKeys says of each key whether it signs, or what it signed is still taken.
func toKeys(keys []wire.ServerKey) []sdk.SigningKey {
	out := make([]sdk.SigningKey, len(keys))
	signs := true
	for i := len(keys) - 1; i >= 0; i-- {
		k := keys[i]
		out[i] = sdk.SigningKey{ID: wire.KeyID(k.Key), PublicKey: k.Key, EndorsedBy: k.EndorsedBy, Status: "accepted"}
		switch {
		case k.Retired:
			out[i].Status = "retired"
		case signs:
			out[i].Status, signs = "signs", false
		}
	}
	return out
}

func (a *API) listKeys(ctx context.Context, _ *struct{}) (*list[sdk.SigningKey], error) {
	keys, err := a.catalog.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return page(toKeys(keys), "", func(k sdk.SigningKey) sdk.SigningKey { return k }), nil
}

type rotateKeyInput struct {
	Body *sdk.RotateKey `required:"false"`
}

func (a *API) rotateKey(ctx context.Context, in *rotateKeyInput) (*one[sdk.SigningKey], error) {
	caller, _ := auth.FromContext(ctx)
	key, err := a.catalog.RotateKey(ctx, in.Body != nil && in.Body.Lost, caller.Username)
	if err != nil {
		return nil, err
	}
	return &one[sdk.SigningKey]{Body: toKeys([]wire.ServerKey{key})[0]}, nil
}

// KeyID is the path of one key.
type KeyID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the key."`
}

func (a *API) retireKey(ctx context.Context, in *KeyID) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.catalog.RetireKey(ctx, in.ID, caller.Username)
}
