// Package cgroup holds each runner to its memory by a control group of the kernel's, where the process that starts
// them was given the right to make some (Linux, cgroup version 2). Unlike the runner's own limits it counts everything
// that is touched, shared memory and page tables among it, and how many threads there are.
//
// A process may divide only what it was given: systemd gives a service its group with Delegate=yes; without systemd,
// in a container, root has all that it sees. A group that has members can have no groups with limits below it, so this
// process first goes into one named Own. See docs/rationale.md.
package cgroup

import "errors"

// Own is the group that the process itself goes into, below the one that it was given. A unit may also name it as
// DelegateSubgroup=, with which systemd 254 and newer does the same.
const Own = "octopus"

// ErrRefused is what the kernel says of a group that Open made room for.
var ErrRefused = errors.New("the control group was refused")

// Limits are what the processes of a group may have together.
type Limits struct {
	Memory  uint64 // bytes, everything counted; nothing is swapped out
	Threads int
}
