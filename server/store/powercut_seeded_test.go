//go:build seededbugs

package store_test

import (
	"testing"

	"octopus/internal/seeded"
)

// TestSeededSyncOff must see acknowledged work vanish, or the database break, when SQLite does not wait for the disk.
func TestSeededSyncOff(t *testing.T) {
	seeded.Set(seeded.SyncOff)
	defer seeded.Set("")
	if _, wrongs := record(t, 1, flaw{}, 3).cuts(t, 1, 60); len(wrongs) == 0 {
		t.Error("60 power cuts found nothing")
	}
}
