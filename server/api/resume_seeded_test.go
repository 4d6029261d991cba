//go:build seededbugs

package api_test

import (
	"slices"
	"testing"

	"octopus/e2e/history"
	"octopus/internal/seeded"
)

// TestSeededResumeWithoutGap must see a page that shows what is long over, when a stream goes on after a gap as if
// there were none.
func TestSeededResumeWithoutGap(t *testing.T) {
	seeded.Set(seeded.ResumeWithoutGap)
	defer seeded.Set("")
	if found := restartUnderPage(t); !slices.Contains(history.Broken(found), history.RuleView) {
		t.Errorf("the bug was not noticed: %v", found)
	}
}
