package api

import (
	"bytes"
	"context"
	"encoding/json"

	"octopus/sdk"
	"octopus/server/auth"
)

func (a *API) getPluginConfig(ctx context.Context, in *PluginName) (*one[sdk.PluginConfig], error) {
	if _, err := a.store.Plugin(ctx, in.Name); err != nil {
		return nil, err
	}
	config, err := a.catalog.ConfigOf(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	out := sdk.PluginConfig{Config: config.Config, UpdatedAt: utc(config.UpdatedAt), UpdatedBy: config.UpdatedBy}
	if len(out.Config) == 0 {
		out.Config = json.RawMessage("{}")
	}
	shares, err := a.catalog.Shares(ctx, in.Name, "")
	if err != nil || len(shares) == 0 {
		return &one[sdk.PluginConfig]{Body: out}, nil // nothing runs: there is no schema to compare with
	}
	m, err := a.catalog.Manifest(ctx, shares[0].Version.Digest)
	if err != nil {
		return nil, err
	}
	out.Schema = m.Config
	out.Problems, err = a.catalog.Unfit(ctx, in.Name)
	return &one[sdk.PluginConfig]{Body: out}, err
}

type setPluginConfigInput struct {
	PluginName
	Body sdk.SetPluginConfig
}

// setPluginConfig is safe to repeat: it replaces what was there.
func (a *API) setPluginConfig(ctx context.Context, in *setPluginConfigInput) (*one[sdk.PluginConfig], error) {
	caller, _ := auth.FromContext(ctx)
	config := bytes.TrimSpace(in.Body.Config)
	if bytes.Equal(config, []byte("null")) {
		config = nil
	}
	if err := a.catalog.SetConfig(ctx, in.Name, config, caller.Username); err != nil {
		return nil, err
	}
	return a.getPluginConfig(ctx, &in.PluginName)
}
