//go:build race

package lockdown

// raceBuild: the race detector's shadow memory is above every limit, and its
// cgo threads are not for the filter.
const raceBuild = true
