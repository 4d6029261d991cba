//go:build !windows

package journal

// canSwap says whether a file can be renamed over one that is open.
const canSwap = true
