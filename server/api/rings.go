package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/catalog"
)

type setRingInput struct {
	VersionName
	Body sdk.Ring
}

// setRing is safe to repeat: a version that is there already stays where it is.
func (a *API) setRing(ctx context.Context, in *setRingInput) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.catalog.SetRing(ctx, in.Name, in.Version, octopus.Ring(in.Body.Ring), caller.Username)
}

type listRingsInput struct {
	PluginName
	Version string `query:"version" maxLength:"64" doc:"What the runs ask for: a range, a ring, an exact version. Left out: the newest."`
}

func (a *API) listRings(ctx context.Context, in *listRingsInput) (*list[sdk.Share], error) {
	shares, err := a.catalog.Shares(ctx, in.Name, in.Version)
	if err != nil {
		return nil, err
	}
	return page(shares, "", func(s catalog.Share) sdk.Share {
		return sdk.Share{Version: s.Version.Version, Ring: string(s.Version.Ring), Percent: s.Percent}
	}), nil
}

type rollBackInput struct {
	PluginName
	Body *sdk.RollBack `required:"false"`
}

func (a *API) rollBack(ctx context.Context, in *rollBackInput) (*one[sdk.RolledBack], error) {
	caller, _ := auth.FromContext(ctx)
	to := ""
	if in.Body != nil {
		to = in.Body.To
	}
	now, held, err := a.catalog.RollBack(ctx, in.Name, to, caller.Username)
	if err != nil {
		return nil, err
	}
	return &one[sdk.RolledBack]{Body: sdk.RolledBack{Version: now.Version, Held: append([]string{}, held...)}}, nil
}
