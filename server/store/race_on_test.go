//go:build race

package store_test

// raceDetector says that tests run under it, which makes SQLite ten times slower.
const raceDetector = true
