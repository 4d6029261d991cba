package api_test

import (
	"bytes"
	"encoding/json"
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

// TestEverythingIsDescribed: whoever reads the document finds a summary of each operation and what each parameter means.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	raw, err := api.OpenAPI("1")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct{ In, Name, Description string }
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil || len(document.Paths) < 50 {
		t.Fatalf("%d paths, %v", len(document.Paths), err)
	}
	for path, operations := range document.Paths {
		for method, o := range operations {
			if o.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
			for _, p := range o.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: the %s parameter %s is not described", method, path, p.In, p.Name)
				}
			}
		}
	}
}
