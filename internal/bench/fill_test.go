package bench

import (
	"path/filepath"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// TestFill makes a history that the store lists as its own.
func TestFill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "octopus.db")
	made, err := Fill{Database: file, N: 1500, Agents: 20, Tasks: 5}.Run(t.Context())
	if err != nil || made.Executions != 1500 || made.Bytes == 0 {
		t.Fatalf("%+v, error %v", made, err)
	}
	s, err := store.Open(t.Context(), store.Options{URL: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen, last, failed := 0, "", 0
	for cursor := ""; ; {
		list, next, err := s.Executions(t.Context(), store.ExecutionFilter{}, store.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if x.ID <= last || !x.Status.Terminal() {
				t.Fatalf("%s after %s, %s", x.ID, last, x.Status)
			}
			if last = x.ID; x.Status != octopus.Succeeded {
				failed++
			}
		}
		if seen += len(list); next == "" {
			break
		}
		cursor = next
	}
	if seen != 1500 || failed < 30 || failed > 200 {
		t.Errorf("%d executions, %d of them did not succeed", seen, failed)
	}
}
