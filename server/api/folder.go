package api

import (
	"context"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/folder"
)

func (a *API) getFolder(ctx context.Context, _ *struct{}) (*one[sdk.PluginFolder], error) {
	if a.folder == nil {
		return nil, noFolder()
	}
	r, err := a.folder.Last(ctx)
	return &one[sdk.PluginFolder]{Body: toFolder(r)}, err
}

func (a *API) rescanFolder(ctx context.Context, _ *struct{}) (*one[sdk.PluginFolder], error) {
	if a.folder == nil {
		return nil, noFolder()
	}
	r, err := a.folder.Rescan(ctx)
	return &one[sdk.PluginFolder]{Body: toFolder(r)}, err
}

func noFolder() error {
	return octopus.Errorf(octopus.CodeNotFound, "This server has no plugin folder. Name one with plugins.dir.")
}

func toFolder(r folder.Report) sdk.PluginFolder {
	out := sdk.PluginFolder{Dir: r.Dir, Problem: r.Problem, Files: []sdk.FoundFile{}, LookedAt: utc(r.At)}
	for _, f := range r.Files {
		out.Files = append(out.Files, sdk.FoundFile{Name: f.Name, Status: f.Status, Problem: f.Problem})
	}
	return out
}
