//go:build !linux

package agent

// dropCode does nothing where the system has no such call.
func dropCode() {}
