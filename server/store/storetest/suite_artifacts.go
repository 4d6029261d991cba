package storetest

import (
	"bytes"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// testArtifacts: an attempt that is tried again leaves its files, too; an ended execution takes none; a purge takes all.
func testArtifacts(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 2, nil)
	id, other := ids[0], ids[1]
	binary := []byte{0, 0xff, '\n', 0xc3}
	leave := func(attempt int, name string, data []byte) store.StepFunc {
		return func(x octopus.Execution, _ time.Time) (store.Change, error) {
			return store.Change{Next: x, Artifacts: []octopus.Artifact{{Name: name, Attempt: attempt, MediaType: "text/plain; charset=utf-8", Data: data}}}, nil
		}
	}
	step(t, s, id, Offer("agt_1"), Accept, leave(1, "b.txt", []byte("one")), leave(1, "b.txt", []byte("first")), leave(1, "a.bin", binary), leave(2, "b.txt", nil))
	list, err := s.Artifacts(t.Context(), id)
	check(t, err)
	if len(list) != 3 || list[0].Name != "a.bin" || list[1].Name != "b.txt" || list[2].Attempt != 2 {
		t.Fatalf("%+v", list)
	}
	first := list[1]
	if first.ExecutionID != id || first.Size != 5 || first.Data != nil || first.CreatedAt.IsZero() || first.MediaType != "text/plain; charset=utf-8" {
		t.Errorf("%+v", first)
	}
	a, err := s.Artifact(t.Context(), id, "a.bin", 0)
	check(t, err)
	equal(t, "binary data", bytes.Equal(a.Data, binary), true)
	a, err = s.Artifact(t.Context(), id, "b.txt", 0)
	check(t, err)
	equal(t, "newest attempt", a.Attempt == 2 && a.Size == 0 && len(a.Data) == 0, true)
	a, err = s.Artifact(t.Context(), id, "b.txt", 1)
	check(t, err)
	equal(t, "first attempt", string(a.Data), "first")
	for _, missing := range []struct {
		id, name string
		attempt  int
	}{{id, "c.txt", 0}, {id, "b.txt", 3}, {other, "b.txt", 0}} {
		_, err = s.Artifact(t.Context(), missing.id, missing.name, missing.attempt)
		wantCode(t, err, octopus.CodeNotFound)
	}
	step(t, s, id, End(octopus.Failed))
	if _, err := s.Step(t.Context(), id, leave(3, "late.txt", nil)); err == nil {
		t.Error("an ended execution took an artifact")
	}
	step(t, s, other, Offer("agt_2"), Accept, End(octopus.Failed))
	purged, err := s.Purge(t.Context(), s.Now().Add(time.Hour), 10)
	check(t, err)
	equal(t, "purged", purged, 1)
	list, err = s.Artifacts(t.Context(), id)
	check(t, err)
	equal(t, "artifacts after the purge", len(list), 0)
}
