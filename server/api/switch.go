package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/catalog"
)

// switchPlugins answers with what became of each: one that cannot be switched keeps no other from it. It is safe to
// repeat.
func (a *API) switchPlugins(ctx context.Context, in *struct{ Body sdk.SwitchPlugins }) (*one[sdk.SwitchedPlugins], error) {
	caller, _ := auth.FromContext(ctx)
	items := make([]catalog.Item, len(in.Body.Plugins))
	for i, p := range in.Body.Plugins {
		items[i] = catalog.Item{Plugin: p.Plugin, Version: p.Version}
	}
	out := sdk.SwitchedPlugins{Items: make([]sdk.SwitchedPlugin, len(items))}
	for i, done := range a.catalog.Switch(ctx, items, in.Body.Enabled, caller.Username) {
		x := sdk.SwitchedPlugin{PluginRef: in.Body.Plugins[i], Changed: done.Changed, Was: string(done.Was)}
		if done.Err != nil {
			if octopus.CodeOf(done.Err) == octopus.CodeInternal {
				return nil, done.Err
			}
			x.Error = &sdk.SwitchProblem{Code: string(octopus.CodeOf(done.Err)), Message: octopus.Sentence(done.Err)}
		}
		out.Items[i] = x
	}
	return &one[sdk.SwitchedPlugins]{Body: out}, nil
}

type enablePluginInput struct {
	PluginName
	Verb string `path:"verb" enum:"enable,disable" doc:"What is done."`
}

func (a *API) enablePlugin(ctx context.Context, in *enablePluginInput) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	return nil, a.catalog.SetEnabled(ctx, in.Name, in.Verb == "enable", caller.Username)
}

type enableVersionInput struct {
	VersionName
	Verb string `path:"verb" enum:"enable,disable,deprecate,revoke,hold,resume" doc:"What is done."`
}

var versionStatus = map[string]octopus.VersionStatus{
	"enable": octopus.VersionPublished, "disable": octopus.VersionDisabled,
	"deprecate": octopus.VersionDeprecated, "revoke": octopus.VersionRevoked,
}

func (a *API) enableVersion(ctx context.Context, in *enableVersionInput) (*struct{}, error) {
	caller, _ := auth.FromContext(ctx)
	switch in.Verb {
	case "hold":
		return nil, a.catalog.Hold(ctx, in.Name, in.Version, "", caller.Username)
	case "resume":
		return nil, a.catalog.Resume(ctx, in.Name, in.Version, caller.Username)
	}
	return nil, a.catalog.SetStatus(ctx, in.Name, in.Version, versionStatus[in.Verb], caller.Username)
}
