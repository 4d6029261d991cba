package octopus

import (
	"slices"
	"strings"
	"time"
)

// ArtifactInvalidResponse is the name of the artifact with what a plugin printed in place of a response.
const ArtifactInvalidResponse = "invalid-response.txt"

// ArtifactDryRun is the name of the artifact with what a dry run would have done, as JSON: a list of spec.Intent.
const ArtifactDryRun = "dry-run.json"

// IsHostArtifact says whether a name is kept for a file that Octopus itself leaves with an execution.
func IsHostArtifact(name string) bool {
	return strings.EqualFold(name, ArtifactInvalidResponse) || strings.EqualFold(name, ArtifactDryRun)
}

// Artifact is a file that an attempt left behind, kept with its execution.
type Artifact struct {
	ExecutionID string
	Name        string // one path segment; of the same name there is one for each attempt
	Attempt     int
	MediaType   string
	Size        int64  // of Data, in bytes
	Data        []byte // nil in lists
	CreatedAt   time.Time
}

// safeMediaTypes are those that a browser shows, if it shows them, without running anything.
var safeMediaTypes = []string{
	"text/plain; charset=utf-8", "text/csv; charset=utf-8", "application/json", "image/png", "image/jpeg", "image/gif", "image/webp",
}

// SafeMediaType is the artifact's media type where a browser may know it, else application/octet-stream.
func (a Artifact) SafeMediaType() string {
	if slices.Contains(safeMediaTypes, a.MediaType) {
		return a.MediaType
	}
	return "application/octet-stream"
}
