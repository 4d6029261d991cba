package octopus

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Ring says which share of the runs that follow a plugin gets a version.
type Ring string

// The rings, each within the next.
const (
	RingCanary Ring = "canary" // 5 % of the runs
	RingEarly  Ring = "early"  // 25 %, those of canary among them
	RingAll    Ring = "all"    // every run
)

// Rings are all of them, the narrowest first.
var Rings = []Ring{RingCanary, RingEarly, RingAll}

// RingPoints is into how many points runs are divided.
const RingPoints = 10_000

// Valid reports whether there is such a ring.
func (r Ring) Valid() bool { return r == RingCanary || r == RingEarly || r == RingAll }

// Share is how many of the RingPoints a ring includes: points below it are inside.
func (r Ring) Share() int {
	switch r {
	case RingCanary:
		return RingPoints * 5 / 100
	case RingEarly:
		return RingPoints * 25 / 100
	}
	return RingPoints
}

// Point is where a run stands that names the ring as its version: inside it, and in none that is narrower.
func (r Ring) Point() int {
	switch r {
	case RingCanary:
		return 0
	case RingEarly:
		return RingCanary.Share()
	}
	return RingEarly.Share()
}

// RingPoint is where a run stands among the RingPoints: always at the same one.
func RingPoint(runID string) int {
	sum := sha256.Sum256([]byte("octopus ring " + runID))
	return int(binary.BigEndian.Uint64(sum[:8]) % RingPoints)
}

// TrialWatch is how long a version is still compared with the one before after it was promoted to all runs.
const TrialWatch = 24 * time.Hour

// Tally is how the executions of a version ended whose runs follow the plugin, since its rings moved last.
type Tally struct{ Succeeded, Failed int64 }

// Total is how many executions were counted.
func (t Tally) Total() int64 { return t.Succeeded + t.Failed }

// Rate is the share that failed, 0 where nothing was counted.
func (t Tally) Rate() float64 {
	if t.Total() == 0 {
		return 0
	}
	return float64(t.Failed) / float64(t.Total())
}

// OnTrial reports whether the version's failures are compared with those of the version before.
func (v PluginVersion) OnTrial(now time.Time) bool {
	if v.Held || v.Status == VersionDisabled || v.Status == VersionRevoked {
		return false
	}
	return v.Ring == RingCanary || v.Ring == RingEarly || now.Before(v.WatchUntil)
}

// noFault are the codes of failures that say nothing about the plugin: what its agent's owner or a grant denied, what
// could not be loaded, and what never ran.
var noFault = map[string]bool{
	"denied": true, "refused": true, "sandbox_failed": true, "digest_mismatch": true, "untrusted": true, "cancelled": true, "deadline": true,
}

// Blames says what the end of an execution says about its plugin: that it failed, that it did not, or (counts is
// false) nothing, as where the agent was lost, a person ended it, or it never ran.
func (x Execution) Blames() (failed, counts bool) {
	switch x.Status {
	case Succeeded:
		return false, true
	case Failed, TimedOut:
		return true, x.Reason == nil || !noFault[x.Reason.Code]
	}
	return false, false
}
