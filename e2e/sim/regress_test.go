package sim

import (
	"testing"
	"time"

	"octopus/internal/octopus"
)

// calmPlan is a plan without faults, for tests that add their own.
func calmPlan(seed uint64, servers int, slots ...int) Plan {
	return Plan{Seed: seed, Servers: servers, Slots: slots, Bus: 1, Slowest: 100 * time.Millisecond}
}

func (p Plan) submit(at time.Duration, work octopus.Work) Plan {
	p.Wishes = append(p.Wishes, wish{at: at, kind: "submit", of: len(p.Wishes), work: work, key: at.String()})
	return p
}

func check(t *testing.T, p Plan) {
	t.Helper()
	if r := Play(p, true); len(r.Broken) > 0 {
		t.Errorf("%s", r)
	}
}

// What a person decides about an agent at one server is seen by the server that the agent is connected to, also
// where no bus connects the two.
func TestDecisionsWithoutBus(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 5; seed++ {
		p := calmPlan(seed, 2, 1, 1, 1)
		p.Bus = 0
		for who := range p.Slots {
			p.Faults = append(p.Faults,
				fault{at: 20 * time.Second, kind: "disabled", who: who, long: 40 * time.Second},
				fault{at: 30 * time.Second, kind: "break", who: who})
		}
		check(t, p)
	}
}

// An agent that lost its journal, and whose first connections came to nothing, is not taken for one that remembers.
func TestJournalLostBeforeAHelloWasAnswered(t *testing.T) {
	t.Parallel()
	work := octopus.Work{Plugin: pluginName, Action: "once", Timeout: 100 * time.Second, WaitTTL: time.Minute, MaxAttempts: 1, Params: []byte(`"x"`)}
	for seed := uint64(1); seed <= 40; seed++ {
		p := calmPlan(seed, 2, 1, 1).submit(2*time.Second, work).submit(3*time.Second, work)
		for who := range p.Slots {
			p.Faults = append(p.Faults, fault{at: 8 * time.Second, kind: "journal lost", who: who})
		}
		p.Faults = append(p.Faults, fault{at: 7900 * time.Millisecond, kind: "database broken", long: 30 * time.Second})
		check(t, p)
	}
}

// Work that is queued again by a commit whose answer was lost does not wait longer than its run says, though the database
// could not be asked what that was.
func TestQueuedByAnUnansweredCommit(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 60; seed++ {
		p := calmPlan(seed, 1, 1)
		p = p.submit(2*time.Second, octopus.Work{
			Plugin: pluginName, Action: "once", MaxAttempts: 2, Timeout: time.Second, WaitTTL: 20 * time.Second, Params: []byte(`"x"`),
			Target: octopus.Target{Mode: octopus.TargetAgent, Agent: agentID(0)},
		})
		for at := 2500 * time.Millisecond; at < 5*time.Second; at += 500 * time.Millisecond {
			p.Faults = append(p.Faults, fault{at: at, kind: "database broken", long: 20 * time.Second})
		}
		check(t, p)
	}
}

// A guest on a machine that slept acts on nothing once another agent may have its execution.
func TestSleepBeyondTheLease(t *testing.T) {
	t.Parallel()
	work := octopus.Work{
		Plugin: pluginName, Action: "again", OnLost: octopus.OnLostRetry, MaxAttempts: 3, LostAfter: 15 * time.Second,
		Timeout: 200 * time.Second, WaitTTL: time.Minute, Params: []byte(`"x"`),
	}
	for seed := uint64(1); seed <= 40; seed++ {
		p := calmPlan(seed, 1, 1, 1, 1).submit(2*time.Second, work)
		for who := range p.Slots {
			p.Faults = append(p.Faults, fault{at: time.Duration(5+who*20) * time.Second, kind: "agent asleep", who: who, long: 80 * time.Second})
		}
		check(t, p)
	}
}

// TestShrink leaves out what a failure does not need.
func TestShrink(t *testing.T) {
	t.Parallel()
	got := fewer([]int{1, 2, 3, 4, 5, 6, 7, 8, 9}, func(list []int) bool {
		has := map[int]bool{}
		for _, n := range list {
			has[n] = true
		}
		return has[3] && has[8]
	})
	if len(got) != 2 || got[0] != 3 || got[1] != 8 {
		t.Errorf("left over: %v", got)
	}
}
