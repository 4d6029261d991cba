//go:build !seededbugs

package seeded

// Is reports whether a bug is turned on: never, in a normal build.
func Is(Bug) bool { return false }
