package sdk

import (
	"context"
	"io"
	"time"
)

// Backup is a copy of the server's SQLite database in the server's backup folder, or one that is being made.
type Backup struct {
	Name          string    `json:"name"`
	State         string    `json:"state" enum:"running,ready,failed"`
	Fraction      float64   `json:"fraction" doc:"How much is done, 0 to 1."`
	CreatedAt     time.Time `json:"created_at" doc:"Of the state that it holds."`
	Error         string    `json:"error,omitempty" doc:"Why it failed."`
	Format        int       `json:"format,omitempty" doc:"Of the manifest, which is what follows."`
	Version       string    `json:"octopus_version,omitempty"`
	SchemaVersion int64     `json:"schema_version,omitempty"`
	Generation    int64     `json:"generation,omitempty"`
	SizeBytes     int64     `json:"size_bytes,omitempty"`
	SHA256        string    `json:"sha256,omitempty"`
}

// CreateBackup starts a backup of the server's database and returns at once; Backup tells how it goes.
func (c *Client) CreateBackup(ctx context.Context) (b Backup, err error) {
	err = c.do(ctx, "POST", "/backups", nil, nil, &b)
	return b, err
}

// Backups lists the backups on the server, the newest first.
func (c *Client) Backups(ctx context.Context) (page Page[Backup], err error) {
	err = c.do(ctx, "GET", "/backups", nil, nil, &page)
	return page, err
}

// Backup reads one backup.
func (c *Client) Backup(ctx context.Context, name string) (b Backup, err error) {
	err = c.do(ctx, "GET", path("backups", name), nil, nil, &b)
	return b, err
}

// DownloadBackup opens the file of a backup; the caller closes it, and compares its SHA-256.
func (c *Client) DownloadBackup(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.stream(ctx, path("backups", name, "file"), nil, "*/*")
}

// DeleteBackup removes a backup from the server.
func (c *Client) DeleteBackup(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", path("backups", name), nil, nil, nil)
}
