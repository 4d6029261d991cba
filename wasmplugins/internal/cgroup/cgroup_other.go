//go:build !linux

package cgroup

import "errors"

// Groups are none on this system.
type Groups struct{}

// Open says so.
func Open() (*Groups, error) { return nil, errors.New("only on Linux") }

// New makes none.
func (g *Groups) New(Limits) (*Group, error) { return nil, nil }

// Close has nothing to do.
func (g *Groups) Close() {}

// Group is none.
type Group struct{}

// Add does nothing.
func (g *Group) Add(int) error { return nil }

// Starved is never true.
func (g *Group) Starved() bool { return false }

// Close has nothing to do.
func (g *Group) Close() {}
