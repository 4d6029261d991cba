//go:build !windows

package agent

import "context"

// runService runs f as it is: only Windows asks a service to speak to its manager.
func runService(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
