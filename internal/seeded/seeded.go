// Package seeded holds the bugs that the checkers are checked with. Each is a line in the product that asks
// [Is]; in a normal build that is the constant false and the compiler leaves nothing of it. Only a build with the
// tag seededbugs can carry a bug, and even then only where a test turns one on with Set, or for whole processes
// with the variable OCTOPUS_SEEDED_BUG.
package seeded

// Bug names a promise that is broken on purpose.
type Bug string

// The bugs. What each breaks is said where it is asked for.
const (
	AckBeforeCommit      Bug = "acknowledge-before-commit"
	NoFenceCheck         Bug = "no-fence-check"
	RescueWithoutCAS     Bug = "rescue-without-compare-and-set"
	JournalDroppedEarly  Bug = "journal-deleted-before-ack"
	SyncOff              Bug = "synchronous-off"
	SkipGo               Bug = "skip-go"
	LostOutbox           Bug = "lost-outbox"
	SlotKeptAfterKill    Bug = "slot-kept-after-kill"
	LateResultApplied    Bug = "late-result-applied"
	DuplicateOfferStarts Bug = "duplicate-offer-starts-twice"
	CancelNotDurable     Bug = "cancel-not-durable"
	ResumeWithoutGap     Bug = "resume-without-gap-detection"
)

// All lists the bugs.
var All = []Bug{AckBeforeCommit, NoFenceCheck, RescueWithoutCAS, JournalDroppedEarly, SyncOff, SkipGo, LostOutbox,
	SlotKeptAfterKill, LateResultApplied, DuplicateOfferStarts, CancelNotDurable, ResumeWithoutGap}
