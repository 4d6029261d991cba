package store

import (
	"context"

	"octopus/internal/octopus"
)

const putArtifactSQL = `INSERT INTO artifacts (execution_id, name, attempt, media_type, size, created_at, data) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (execution_id, name, attempt) DO UPDATE SET
media_type = excluded.media_type, size = excluded.size, created_at = excluded.created_at, data = excluded.data`

func (t *tx) putArtifact(executionID string, a *octopus.Artifact) error {
	at := a.CreatedAt
	if at.IsZero() {
		at = t.now
	}
	data := a.Data
	if data == nil {
		data = []byte{} // an empty file, not NULL
	}
	_, err := t.exec(putArtifactSQL, executionID, clean(a.Name), a.Attempt, clean(a.MediaType), len(data), micros(at), data)
	return err
}

const artifactColumns = "execution_id, name, attempt, media_type, size, created_at"

// Artifacts returns an execution's artifacts without their data, by attempt and name.
func (s *Store) Artifacts(ctx context.Context, executionID string) ([]octopus.Artifact, error) {
	artifacts, err := list(ctx, s.reads, func(row scanner) (a octopus.Artifact, err error) {
		err = row.Scan(&a.ExecutionID, &a.Name, &a.Attempt, &a.MediaType, &a.Size, timeInto{&a.CreatedAt})
		return a, err
	}, "SELECT "+artifactColumns+" FROM artifacts WHERE execution_id = ? ORDER BY attempt, name", executionID)
	return artifacts, s.fail("artifacts", err)
}

// Artifact returns one artifact with its data: that of an attempt, or, with attempt 0, of the newest that left one.
func (s *Store) Artifact(ctx context.Context, executionID, name string, attempt int) (a octopus.Artifact, err error) {
	query, args := "SELECT "+artifactColumns+", data FROM artifacts WHERE execution_id = ? AND name = ?", []any{executionID, clean(name)}
	if attempt > 0 {
		query, args = query+" AND attempt = ?", append(args, attempt)
	}
	err = s.reads.row(ctx, query+" ORDER BY attempt DESC LIMIT 1", args...).
		Scan(&a.ExecutionID, &a.Name, &a.Attempt, &a.MediaType, &a.Size, timeInto{&a.CreatedAt}, &a.Data)
	if isNoRow(err) {
		return a, octopus.Errorf(octopus.CodeNotFound, "The execution has no such artifact. List those that it has with /executions/{id}/artifacts.")
	}
	return a, s.fail("artifact", err)
}
