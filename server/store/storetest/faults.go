package storetest

import (
	"database/sql"
	"errors"
	"regexp"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Rig is a store whose disk, or whose way to its database, fails when it is told to.
type Rig struct {
	Store *store.Store
	DB    *sql.DB // the same database, past what fails

	// Arm makes the n-th step from now fail, counted from 0.
	Arm func(n int)
	// Disarm ends that, and reports whether so many steps were made.
	Disarm func() (hit bool)
	// Reopen opens the database anew where a store has stopped for good, as a new process would.
	Reopen func() (*store.Store, *sql.DB)
	// Unknown says that a failure may leave a caller without knowing whether the operation was done: the answer to
	// a COMMIT was lost.
	Unknown bool
}

// trial is one operation that may fail.
type trial struct {
	do      func(*store.Store) error         // may be called again, as a caller would that got an error
	applied func(*store.Store) (bool, error) // whether all of it is there; nil: it only reads
}

// Faults lets the n-th step under each operation of the contract fail, for every n up to the last one that the
// operation makes, and at most most (0: no bound). Each time the caller gets a clear error or the operation is done;
// nothing is there by halves; and the store goes on, or says that it cannot: then a new one does.
func Faults(t *testing.T, rig *Rig, most int) {
	for _, c := range faultSuite {
		t.Run(c.name, func(t *testing.T) {
			failed := 0
			for n := 0; most == 0 || n < most; n++ {
				if !rig.try(t, c.prepare(t, rig.Store), n, &failed) {
					t.Logf("%d steps, %d of which the caller noticed", n, failed)
					return
				}
			}
		})
	}
}

// try lets the n-th step fail. It reports whether there was one.
func (r *Rig) try(t *testing.T, op trial, n int, failed *int) bool {
	t.Helper()
	r.Arm(n)
	err := op.do(r.Store)
	hit := r.Disarm()
	if err != nil {
		*failed++
		t.Logf("step %d: %s", n, err)
		clearError(t, n, err)
	}
	unknown := r.Unknown
	if r.Store.Err() != nil {
		if again := op.do(r.Store); octopus.CodeOf(again) != octopus.CodeUnavailable {
			t.Fatalf("step %d: the store has stopped, and says %v to the next call", n, again)
		}
		r.Store, r.DB = r.Reopen()
		unknown = true // what was not acknowledged may be there all the same
	}
	applied := r.look(t, op, n)
	switch {
	case err == nil && !applied:
		t.Fatalf("step %d: it was acknowledged and is not there", n)
	case err != nil && applied && !unknown && op.applied != nil:
		t.Fatalf("step %d: it was refused (%v) and is there", n, err)
	}
	if err := op.do(r.Store); err != nil && !(applied && doneBefore(err)) {
		t.Fatalf("step %d: the next call fails: %v", n, err)
	}
	if !r.look(t, op, n) {
		t.Fatalf("step %d: the next call did nothing", n)
	}
	// What was there by halves, or is there twice, shows now.
	contradictions, err := Recount(t.Context(), r.DB)
	if err != nil || len(contradictions) > 0 {
		t.Fatalf("step %d: %v %v", n, contradictions, err)
	}
	return hit
}

// doneBefore reports the answer of an operation to a caller that asks again for what was done.
func doneBefore(err error) bool {
	code := octopus.CodeOf(err)
	return code == octopus.CodeConflict || code == octopus.CodeStale
}

// look says whether an operation was done, and fails where it is there by halves.
func (r *Rig) look(t *testing.T, op trial, n int) bool {
	t.Helper()
	applied, err := true, error(nil)
	if op.applied != nil {
		applied, err = op.applied(r.Store)
	}
	if err != nil {
		t.Fatalf("step %d: reading: %v", n, err)
	}
	return applied
}

var technical = regexp.MustCompile(`(?i)\b(select|insert|update|delete|commit|rollback|savepoint)\b|sqlite|sqlstate|\bEOF\b|tcp|dial|bad connection`)

// clearError fails unless an error is one that a person can act on.
func clearError(t *testing.T, n int, err error) {
	t.Helper()
	var known *octopus.Error
	code := octopus.CodeOf(err)
	if !errors.As(err, &known) || code != octopus.CodeUnavailable && code != octopus.CodeNoSpace || technical.MatchString(err.Error()) {
		t.Fatalf("step %d: the caller is told %q (%s)", n, err, code)
	}
}
