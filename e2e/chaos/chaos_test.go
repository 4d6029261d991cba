//go:build linux

package chaos

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) {
	defer harness.Clean()
	storetest.Main(m)
}

// settings reads CHAOS, how long to hurt in all tests together, and CHAOS_SEED, what is drawn from. Without CHAOS
// it is a look at whether everything works: "make chaos" is the test.
func settings(t *testing.T) (time.Duration, uint64) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	if os.Getenv("OCTOPUS_CI") != "" && os.Getenv("CHAOS") == "" {
		t.Skip("the step chaos runs it, for longer")
	}
	lasts, seed := 8*time.Second, rand.Uint64N(1_000_000)
	var err error
	if text := os.Getenv("CHAOS"); text != "" {
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("CHAOS is not a duration: %v", err)
		}
	}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED is not a number: %v", err)
		}
	}
	t.Logf("CHAOS=%s CHAOS_SEED=%d", lasts, seed)
	return lasts, seed
}

// pace is the mean time between two faults. A short run has as many as there are targets for.
func pace(lasts time.Duration) time.Duration {
	if lasts < time.Minute {
		return 300 * time.Millisecond
	}
	return 700 * time.Millisecond
}

// load fits the machine of a short run, which may have others to serve. A long one is to reach many executions.
func load(o Options) Options {
	o.Agents, o.Clients = 5, 24
	if o.Duration > 2*time.Minute {
		o.Agents, o.Clients, o.Slots = 8, 64, 6
	}
	o.Pace = pace(o.Duration)
	return o
}

// polled fails where the agents behind a gate did not fall back.
func polled(t *testing.T, r Result) {
	t.Helper()
	if r.Polls == 0 {
		t.Error("no agent used long polls, though one is behind a proxy that knows no upgrades")
	}
}

// judge prints what was done and fails for every promise that was broken.
func judge(t *testing.T, r Result) {
	t.Helper()
	t.Log(r)
	for i, v := range r.Broken {
		if i == 30 {
			t.Errorf("and %d more", len(r.Broken)-i)
			break
		}
		t.Error(v)
	}
}

// TestOneServer hurts one server with SQLite, its agents, their links and their disks.
func TestOneServer(t *testing.T) {
	lasts, seed := settings(t)
	lasts = lasts * 9 / 20
	r := Run(t, load(Options{Seed: seed, Duration: lasts}))
	judge(t, r)
	polled(t, r)
}

// TestThreeServers has three servers on one PostgreSQL, and agents and clients that move from one to another. With
// CHAOS_BUS, which is for a build with the tag seededbugs, there is a bad bus between the servers half of the time;
// without it they have nothing but the database.
func TestThreeServers(t *testing.T) {
	lasts, seed := settings(t)
	lasts = lasts * 9 / 20
	url := storetest.Postgres(t)
	r := Run(t, load(Options{Seed: seed, Duration: lasts, Servers: 3, Database: url, Bus: os.Getenv("CHAOS_BUS") != ""}))
	judge(t, r)
	polled(t, r)
	if os.Getenv("CHAOS_BUS") != "" && r.HintsPassed == 0 {
		t.Error("nothing went over the bus between the servers: the binary has to be built with the tag seededbugs")
	}
}

// TestPulledCable has agents on a site of their own, whose cable is pulled: no reset, no goodbye, packets go nowhere.
func TestPulledCable(t *testing.T) {
	lasts, seed := settings(t)
	lasts = max(lasts/10, 4*time.Second)
	r := Run(t, Options{
		Seed: seed, Duration: lasts, Pace: time.Second, Agents: 3, Clients: 8, Cable: true, Only: []string{"cable", "agent", "server"},
	})
	judge(t, r)
	if r.Faults["cable pull"]+r.Faults["cable pull-long"] == 0 {
		t.Error("the cable was never pulled")
	}
}
