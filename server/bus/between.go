//go:build !seededbugs

package bus

// Between is what a server publishes its commits on: the bus of its process. Other servers learn of them from the
// database.
func Between(local *Local) (Bus, error) { return local, nil }
