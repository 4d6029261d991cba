package api_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"octopus/server/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json")

// TestOpenAPI holds docs/openapi.json to what the server answers.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	const file = "../../docs/openapi.json"
	got, err := api.OpenAPI("1")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/openapi.json is not what the server answers. Run go test ./server/api -run TestOpenAPI -update.")
	}
}
