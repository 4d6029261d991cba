package cli

import (
	"math"
	"strconv"
	"time"

	"octopus/internal/octopus"
)

// clockOf reads --clock; the zero time, for "", is the real clock.
func clockOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	clock, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return clock, usagef("--clock is %q, but must be a time such as 2026-01-01T00:00:00Z.", text)
	}
	if err := octopus.CheckClock(clock); err != nil {
		return clock, usagef("--clock is %q. %s", text, octopus.Sentence(err))
	}
	return clock, nil
}

// seedOf reads --seed; nil, for "", is real random numbers.
func seedOf(text string) (*uint64, error) {
	if text == "" {
		return nil, nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, usagef("--seed is %q, but must be a whole number from 0 to %d.", text, uint64(math.MaxUint64))
	}
	return &seed, nil
}
