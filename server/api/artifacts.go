package api

import (
	"context"
	"mime"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
	"octopus/sdk"
)

func (a *API) listArtifacts(ctx context.Context, in *ExecutionID) (*list[sdk.Artifact], error) {
	if _, err := a.store.Execution(ctx, in.ID); err != nil {
		return nil, err
	}
	artifacts, err := a.store.Artifacts(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return page(artifacts, "", toArtifact), nil
}

func toArtifact(a octopus.Artifact) sdk.Artifact {
	return sdk.Artifact{
		Name: a.Name, Attempt: a.Attempt, MediaType: a.MediaType, Size: a.Size, CreatedAt: utc(a.CreatedAt),
		Link: Prefix + "/executions/" + a.ExecutionID + "/artifacts/" + url.PathEscape(a.Name) + "?attempt=" + strconv.Itoa(a.Attempt),
	}
}

type downloadArtifactInput struct {
	ExecutionID
	Name    string `path:"name" maxLength:"255" doc:"As the list of artifacts shows it."`
	Attempt int    `query:"attempt" minimum:"0" doc:"Which attempt's. Defaults to the newest that left one of that name."`
}

// downloadArtifact is one file, as a download that no browser runs: plugins wrote it.
func (a *API) downloadArtifact(ctx context.Context, in *downloadArtifactInput) (*huma.StreamResponse, error) {
	if _, err := a.store.Execution(ctx, in.ID); err != nil {
		return nil, err
	}
	artifact, err := a.store.Artifact(ctx, in.ID, in.Name, in.Attempt)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humachi.Unwrap(hctx)
		h := w.Header()
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": artifact.Name}))
		h.Set("Content-Type", artifact.SafeMediaType())
		h.Set("Content-Length", strconv.Itoa(len(artifact.Data)))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		_, _ = w.Write(artifact.Data) // the peer has gone: nobody is left to tell
	}}, nil
}
