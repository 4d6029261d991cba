package seeded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/seeded"
)

// caughtBy says which test finds each bug. "make seeded" and "make powercut" run them.
var caughtBy = map[seeded.Bug]struct{ name, file, test, says string }{
	seeded.AckBeforeCommit:      {"AckBeforeCommit", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.AckBeforeCommit"},
	seeded.NoFenceCheck:         {"NoFenceCheck", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.NoFenceCheck"},
	seeded.RescueWithoutCAS:     {"RescueWithoutCAS", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.RescueWithoutCAS"},
	seeded.JournalDroppedEarly:  {"JournalDroppedEarly", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.JournalDroppedEarly"},
	seeded.SyncOff:              {"SyncOff", "server/store/powercut_seeded_test.go", "TestSeededSyncOff", "seeded.SyncOff"},
	seeded.SkipGo:               {"SkipGo", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.SkipGo"},
	seeded.LostOutbox:           {"LostOutbox", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.LostOutbox"},
	seeded.SlotKeptAfterKill:    {"SlotKeptAfterKill", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.SlotKeptAfterKill"},
	seeded.LateResultApplied:    {"LateResultApplied", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.LateResultApplied"},
	seeded.DuplicateOfferStarts: {"DuplicateOfferStarts", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.DuplicateOfferStarts"},
	seeded.CancelNotDurable:     {"CancelNotDurable", "e2e/sim/seeded_test.go", "TestSeededBugs", "seeded.CancelNotDurable"},
	seeded.ResumeWithoutGap:     {"ResumeWithoutGap", "server/api/resume_seeded_test.go", "TestSeededResumeWithoutGap", "seeded.ResumeWithoutGap"},
}

// TestEveryBugIsCaught looks for the test of each bug where the table says it is, and for the line of the product
// that carries the bug.
func TestEveryBugIsCaught(t *testing.T) {
	t.Parallel()
	product := productText(t)
	for _, bug := range seeded.All {
		by, ok := caughtBy[bug]
		if !ok {
			t.Errorf("no test is named that catches %q", bug)
			continue
		}
		raw, err := os.ReadFile(filepath.Join("..", "..", by.file))
		if err != nil || !strings.Contains(string(raw), "func "+by.test) || !strings.Contains(string(raw), by.says) {
			t.Errorf("%s has no %s with %s: %v", by.file, by.test, by.says, err)
		}
		if by.name != "" && !strings.Contains(product, "seeded.Is(seeded."+by.name+")") {
			t.Errorf("%q is nowhere in the product", bug)
		}
	}
	if len(caughtBy) != len(seeded.All) {
		t.Errorf("%d bugs are caught and there are %d", len(caughtBy), len(seeded.All))
	}
}

// productText is all the code that can carry a bug.
func productText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"agent", "server"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			all.Write(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
