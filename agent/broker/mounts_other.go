//go:build !linux

package broker

// readOnlyDevices knows nothing beyond what a mount's options say.
func readOnlyDevices() map[string]bool { return nil }
