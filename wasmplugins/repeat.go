package wasmplugins

import (
	"math"
	"time"

	"octopus/wasmplugins/internal/frame"
)

// Repeat makes an execution do the same each time, as far as the host goes:
// what host calls answer is for their broker. The zero value changes nothing.
type Repeat struct {
	// Clock is where the guest's clock stands. Reading it moves it by a
	// microsecond, sleeping by the time slept. Zero is the real clock.
	Clock time.Time
	// Seed is what its random numbers come from: ChaCha8, keyed with the
	// seed. nil is real ones.
	Seed *uint64
	// Instant lets sleeping take no time where there is a Clock.
	Instant bool
}

// On says whether anything is not as ever.
func (r Repeat) On() bool { return r.key().on() }

// repeat is Repeat in a form that can be compared.
type repeat struct {
	clock          int64 // nanoseconds since 1970
	seed           uint64
	frozen, seeded bool
	instant        bool
}

func (r repeat) on() bool { return r.frozen || r.seeded }

// Clocks that 64 bits of nanoseconds can tell.
var (
	firstClock = time.Unix(0, math.MinInt64)
	lastClock  = time.Unix(0, math.MaxInt64-int64(MaxTimeout))
)

func (r Repeat) key() (k repeat) {
	if !r.Clock.IsZero() {
		k.frozen, k.clock, k.instant = true, r.Clock.UnixNano(), r.Instant
	}
	if r.Seed != nil {
		k.seeded, k.seed = true, *r.Seed
	}
	return k
}

// check refuses a clock that no guest could read.
func (r Repeat) check() error {
	if !r.Clock.IsZero() && (r.Clock.Before(firstClock) || r.Clock.After(lastClock)) {
		return refuse("clock", "The clock is frozen at %s; it must be between the years 1678 and 2262.", r.Clock.Format(time.RFC3339))
	}
	return nil
}

func (r repeat) setup() *frame.Repeat {
	if !r.on() {
		return nil
	}
	s := &frame.Repeat{Instant: r.instant}
	if r.frozen {
		s.ClockNS = &r.clock
	}
	if r.seeded {
		s.Seed = &r.seed
	}
	return s
}
