package sdk

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Artifact is a file that an attempt left behind. What a plugin printed in place of a response is kept as
// "invalid-response.txt", escaped.
type Artifact struct {
	Name      string    `json:"name"`
	Attempt   int       `json:"attempt" doc:"Which attempt left it."`
	MediaType string    `json:"media_type"`
	Size      int64     `json:"size" doc:"In bytes."`
	CreatedAt time.Time `json:"created_at"`
	Link      string    `json:"link" doc:"Where to download it, on the same server."`
}

// Artifacts are the files that an execution's attempts left behind, by attempt and name.
func (c *Client) Artifacts(ctx context.Context, id string) (page Page[Artifact], err error) {
	err = c.do(ctx, "GET", path("executions", id, "artifacts"), nil, nil, &page)
	return page, err
}

// DownloadArtifact returns one artifact: that of an attempt, or, with attempt 0, of the newest that left one.
func (c *Client) DownloadArtifact(ctx context.Context, id, name string, attempt int) (data []byte, err error) {
	accept := func(r *call) { r.header.Set("Accept", "*/*") }
	query := url.Values{}
	if attempt > 0 {
		query.Set("attempt", strconv.Itoa(attempt))
	}
	err = c.do(ctx, "GET", path("executions", id, "artifacts", name), query, nil, &data, accept)
	return data, err
}
