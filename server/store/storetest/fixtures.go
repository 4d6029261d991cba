package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Digest is a digest that no module has.
const Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// NewRun makes a run of n queued executions in the pool "" (any agent), ready for CreateRun. edit, where it is
// not nil, changes each execution before it is stored.
func NewRun(s *store.Store, n int, edit func(i int, x *octopus.Execution)) store.NewRun {
	now := s.Now()
	run := octopus.Run{ID: octopus.NewID(octopus.PrefixRun, now), Digest: Digest, CreatedBy: "ada", Source: "api", CreatedAt: now,
		Work: octopus.Work{Plugin: "noop", Version: "1.0.0", Action: "run", Params: json.RawMessage(`{"n":1}`),
			Target: octopus.Target{Mode: octopus.TargetAny, Count: n}}}
	made := store.NewRun{Run: run}
	for i := range n {
		x := octopus.Execution{ID: octopus.NewID(octopus.PrefixExecution, now), RunID: run.ID, Plugin: "noop", PluginVersion: "1.0.0", Digest: Digest,
			Action: "run", Mode: octopus.TargetAny, Status: octopus.Queued, MaxAttempts: 1, OnLost: octopus.OnLostFail, Memory: 64 << 20, Fuel: 1 << 40,
			Timeout: 30 * time.Second, LostAfter: 15 * time.Minute, CreatedAt: now, QueuedAt: now, WaitUntil: now.Add(time.Hour), CreatedBy: "ada"}
		if edit != nil {
			edit(i, &x)
		}
		made.Executions = append(made.Executions, x)
	}
	return made
}

// AgentName is the name of the agent with an id in these fixtures.
func AgentName(id string) string { return "name of " + id }

// Offered edits an execution of NewRun so that it is created offered to an agent.
func Offered(x *octopus.Execution, agentID string) {
	x.Status, x.AgentID, x.AgentName, x.Fence = octopus.Offered, agentID, AgentName(agentID), 1
	x.OfferedAt, x.OfferExpiresAt = x.CreatedAt, x.CreatedAt.Add(10*time.Second)
}

// Offer is a step that offers a queued execution to an agent.
func Offer(agentID string) store.StepFunc {
	return func(x octopus.Execution, now time.Time) (store.Change, error) {
		if x.Status != octopus.Queued {
			return store.Change{}, store.ErrNoChange
		}
		x.Status, x.AgentID, x.AgentName, x.Fence = octopus.Offered, agentID, AgentName(agentID), x.Fence+1
		x.OfferedAt, x.OfferExpiresAt = now, now.Add(10*time.Second)
		return store.Change{Next: x, Events: []octopus.Event{{Kind: "offered", AgentID: agentID, AgentName: AgentName(agentID), Message: "Offered."}}}, nil
	}
}

// OfferClaimed is Offer for Claim.
func OfferClaimed(x octopus.Execution, a store.ClaimAgent, now time.Time) (store.Change, error) {
	return Offer(a.ID)(x, now)
}

// Withdraw is a step that takes an offer back.
func Withdraw(x octopus.Execution, now time.Time) (store.Change, error) {
	if x.Status != octopus.Offered {
		return store.Change{}, store.ErrNoChange
	}
	x.Status, x.Fence, x.OfferExpiresAt, x.QueuedAt = octopus.Queued, x.Fence+1, time.Time{}, now
	return store.Change{Next: x, Events: []octopus.Event{{Kind: "withdrawn", AgentID: x.AgentID, AgentName: x.AgentName, Message: "Withdrawn."}}}, nil
}

// Accept is a step that starts an offered execution.
func Accept(x octopus.Execution, now time.Time) (store.Change, error) {
	if x.Status != octopus.Offered {
		return store.Change{}, store.ErrNoChange
	}
	x.Status, x.Attempt, x.GoAt, x.OfferExpiresAt, x.DeadlineAt = octopus.Running, x.Attempt+1, now, time.Time{}, now.Add(time.Minute)
	return store.Change{Next: x, Attempt: attempt(x, octopus.Running),
		Events: []octopus.Event{{Kind: "accepted", AgentID: x.AgentID, AgentName: x.AgentName, Message: "Accepted.", Attempt: x.Attempt}}}, nil
}

func attempt(x octopus.Execution, status octopus.Status) *octopus.Attempt {
	return &octopus.Attempt{Number: x.Attempt, Fence: x.Fence, AgentID: x.AgentID, AgentName: x.AgentName, Status: status,
		GoAt: x.GoAt, StartedAt: x.StartedAt, FinishedAt: x.FinishedAt}
}

// Response is a plugin response.
var Response = json.RawMessage(`{"status_code":200,"message":"ok","data":[]}`)

// End is a step that ends an execution with its result. Where status cannot follow it changes nothing.
func End(status octopus.Status) store.StepFunc {
	return func(x octopus.Execution, now time.Time) (store.Change, error) {
		if !x.Status.CanBecome(status) {
			return store.Change{}, store.ErrNoChange
		}
		ran := x.Status == octopus.Running
		x.Status, x.FinishedAt = status, now
		if status == octopus.Succeeded || status == octopus.Failed {
			x.StartedAt, x.StatusCode, x.Message, x.Response = now, 200, "ok", Response
			x.Usage = octopus.Usage{ReadyTime: 200 * time.Microsecond, GuestTime: 100 * time.Microsecond, PeakMemory: 65536, Fuel: 1234, FuelAtLeast: true}
		}
		if status != octopus.Succeeded {
			x.Reason = &octopus.Reason{Code: string(status), Message: "It ended as " + string(status) + "."}
		}
		change := store.Change{Next: x, Events: []octopus.Event{{Kind: "ended", AgentID: x.AgentID, AgentName: x.AgentName, Message: "Ended."}}}
		if ran {
			change.Attempt = attempt(x, status)
		}
		return change, nil
	}
}

// Agent makes an agent with a join token's help.
func Agent(s *store.Store, name string) (octopus.Agent, error) {
	hash := []byte("token for " + name)
	token := octopus.JoinToken{ID: octopus.NewID(octopus.PrefixToken, s.Now()), Name: "fixture", Hash: hash}
	if err := s.CreateJoinToken(context.Background(), token); err != nil {
		return octopus.Agent{}, err
	}
	return s.Enrol(context.Background(), hash, octopus.Agent{Name: name, PublicKey: fmt.Appendf(nil, "key of %-24s", name), Slots: 4})
}
