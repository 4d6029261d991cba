//go:build seededbugs

package sim

import (
	"testing"

	"octopus/internal/seeded"
)

// withinSeeds is how many seeds a seeded bug may hide from the checker.
const withinSeeds = 200

// TestSeededBugs turns on one bug after the other: the checker must find each. Those of the database's and of the
// live pages' are found by the power cuts of server/store and by e2e/chaos.
func TestSeededBugs(t *testing.T) {
	t.Cleanup(func() { seeded.Set("") })
	for _, bug := range []seeded.Bug{
		seeded.AckBeforeCommit, seeded.NoFenceCheck, seeded.RescueWithoutCAS, seeded.JournalDroppedEarly, seeded.SkipGo,
		seeded.LostOutbox, seeded.SlotKeptAfterKill, seeded.LateResultApplied, seeded.DuplicateOfferStarts, seeded.CancelNotDurable,
	} {
		seeded.Set(bug)
		caught := false
		for seed := uint64(1); seed <= withinSeeds && !caught; seed++ {
			if r := Play(NewPlan(seed), false); len(r.Broken) > 0 {
				t.Logf("%-30s caught at seed %3d: %s", bug, seed, r.Broken[0])
				caught = true
			}
		}
		if !caught {
			t.Errorf("%s was not caught in %d seeds", bug, withinSeeds)
		}
	}
}
