package api

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/backup"
)

func toBackup(b backup.Info) sdk.Backup {
	out := sdk.Backup{
		Name: b.Name, State: string(b.State), Fraction: b.Fraction, CreatedAt: utc(b.CreatedAt), SizeBytes: b.Bytes, SHA256: b.SHA256,
		Format: b.Format, Version: b.Version, SchemaVersion: b.SchemaVersion, Generation: b.Generation,
	}
	if b.Err != nil {
		out.Error = octopus.Sentence(b.Err)
	}
	return out
}

// BackupName is the path of a backup.
type BackupName struct {
	Name string `path:"name" maxLength:"64" doc:"As octopus backups list shows it."`
}

func (a *API) createBackup(context.Context, *struct{}) (*one[sdk.Backup], error) {
	b, err := a.backups.Begin()
	if err != nil {
		return nil, err
	}
	return &one[sdk.Backup]{Body: toBackup(b)}, nil
}

func (a *API) listBackups(context.Context, *struct{}) (*list[sdk.Backup], error) {
	return page(a.backups.List(), "", toBackup), nil
}

func (a *API) getBackup(_ context.Context, in *BackupName) (*one[sdk.Backup], error) {
	b, err := a.backups.Get(in.Name)
	if err != nil {
		return nil, err
	}
	return &one[sdk.Backup]{Body: toBackup(b)}, nil
}

func (a *API) deleteBackup(_ context.Context, in *BackupName) (*struct{}, error) {
	return nil, a.backups.Remove(in.Name)
}

// downloadBackup sends the file. Who reads it compares its SHA-256 with that of get-backup.
func (a *API) downloadBackup(_ context.Context, in *BackupName) (*huma.StreamResponse, error) {
	f, b, err := a.backups.Open(in.Name)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer f.Close()
		_, w := humachi.Unwrap(hctx)
		attach(w, b.Name)
		w.Header().Set("Content-Type", "application/vnd.sqlite3")
		w.Header().Set("Content-Length", strconv.FormatInt(b.Bytes, 10))
		w.Header().Set("Cache-Control", "no-store") // it holds password hashes
		w.WriteHeader(http.StatusOK)
		if _, err := io.Copy(w, f); err != nil && hctx.Context().Err() == nil {
			a.log.Warn("a backup was not sent to its end", "backup", b.Name, "request", requestIDOf(hctx.Context()), "error", err)
		}
	}}, nil
}
