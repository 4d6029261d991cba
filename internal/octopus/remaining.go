package octopus

import "time"

// Nearest rounds what is left of a time to the unit that people are told it in: seconds, minutes, hours, days. Cut off
// instead, a day would be "23 h" at once.
func Nearest(left time.Duration) time.Duration {
	const day = 24 * time.Hour
	unit := time.Second
	switch {
	case left >= day:
		unit = day
	case left >= time.Hour:
		unit = time.Hour
	case left >= time.Minute:
		unit = time.Minute
	}
	return left.Round(unit)
}
