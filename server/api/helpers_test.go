package api_test

import (
	"encoding/json"
	"testing"
)

func decode(t *testing.T, a answer, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v: %d %s", err, a.StatusCode, a.body)
	}
}
