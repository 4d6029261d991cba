package octopus

import "testing"

func TestSafeMediaType(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"text/plain; charset=utf-8": "text/plain; charset=utf-8",
		"application/json":          "application/json",
		"image/svg+xml":             "application/octet-stream", // may carry scripts
		"text/html":                 "application/octet-stream",
		"text/plain\r\nX-Evil: 1":   "application/octet-stream",
		"":                          "application/octet-stream",
	} {
		if got := (Artifact{MediaType: given}).SafeMediaType(); got != want {
			t.Errorf("%q is served as %s, want %s", given, got, want)
		}
	}
}
