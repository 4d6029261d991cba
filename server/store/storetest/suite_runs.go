package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func testCreate(t *testing.T, s *store.Store) {
	made := NewRun(s, 2, func(i int, x *octopus.Execution) {
		x.Pool, x.Priority, x.Excluded = "env=prod", 5, []string{"agt_x"}
		x.Sandbox, x.Clock, x.Seed = octopus.SandboxFull, time.Unix(int64(i), 123).UTC(), new(uint64(math.MaxUint64))
		x.Waiting = &octopus.Waiting{Code: "busy", Message: "All agents are busy.", Since: x.CreatedAt}
		x.Progress = &octopus.Progress{Fraction: 0.25, Message: "a quarter"}
	})
	made.Run.Labels = map[string]string{"team": "web"}
	made.Run.LeftOut = []octopus.LeftOut{{AgentID: "agt_1", AgentName: "one", Reason: "disabled"}}
	made.Run.TaskID, made.Run.TaskName, made.Run.TaskRevision = "tsk_1", "nightly", 3
	made.Run.Timeout, made.Run.OnLost = time.Minute, octopus.OnLostRetry
	made.Run.Sandbox, made.Run.Clock, made.Run.Seed = octopus.SandboxFiltered, time.Unix(0, 0).UTC(), new(uint64)
	run, _, err := s.CreateRun(t.Context(), made)
	check(t, err)
	stored, err := s.Run(t.Context(), run.ID)
	check(t, err)
	run.Counts, run.Total = octopus.Counts{octopus.Queued: 2}, 2
	if !reflect.DeepEqual(stored, run) {
		t.Fatalf("stored run\n%+v\nwant\n%+v", stored, run)
	}
	for _, want := range made.Executions {
		x, err := s.Execution(t.Context(), want.ID)
		check(t, err)
		want.Params = made.Run.Params
		if !reflect.DeepEqual(x, want) {
			t.Fatalf("stored execution\n%+v\nwant\n%+v", x, want)
		}
	}
	_, err = s.Run(t.Context(), "run_none")
	wantCode(t, err, octopus.CodeNotFound)
	_, err = s.Execution(t.Context(), "exe_none")
	wantCode(t, err, octopus.CodeNotFound)
	_, _, err = s.CreateRun(t.Context(), made)
	if err == nil {
		t.Fatal("the same identifiers were stored twice")
	}
}

func testCreateOffered(t *testing.T, s *store.Store) {
	own := json.RawMessage(`{"n":2}`)
	run, ids := create(t, s, 1, func(i int, x *octopus.Execution) { Offered(x, "agt_1"); x.Params = own })
	equal(t, "offered", run.Counts[octopus.Offered], 1)
	x, err := s.Execution(t.Context(), ids[0])
	check(t, err)
	equal(t, "params", string(x.Params), string(own))
	events, err := s.Events(t.Context(), ids[0])
	check(t, err)
	if len(events) != 2 || events[0].Kind != "queued" || events[1].Kind != "offered" || events[1].AgentID != "agt_1" {
		t.Fatalf("events %+v", events)
	}
	_, _, err = s.CreateRun(t.Context(), NewRun(s, 1, func(_ int, x *octopus.Execution) { x.Status = octopus.Running }))
	if err == nil {
		t.Fatal("an execution was created running")
	}
}

func testIdempotency(t *testing.T, s *store.Store) {
	first := NewRun(s, 1, nil)
	first.Key = &store.Idempotency{Scope: "ada POST /runs", Key: "k", BodyHash: []byte{1}}
	_, replay, err := s.CreateRun(t.Context(), first)
	check(t, err)
	equal(t, "replay", replay, false)
	second := NewRun(s, 1, nil)
	second.Key = first.Key
	run, replay, err := s.CreateRun(t.Context(), second)
	check(t, err)
	equal(t, "replay", replay, true)
	equal(t, "run", run.ID, first.Run.ID)
	second.Key = &store.Idempotency{Scope: "ada POST /runs", Key: "k", BodyHash: []byte{2}}
	_, _, err = s.CreateRun(t.Context(), second)
	wantCode(t, err, octopus.CodeConflict)
	second.Key = &store.Idempotency{Scope: "bob POST /runs", Key: "k", BodyHash: []byte{2}}
	_, replay, err = s.CreateRun(t.Context(), second)
	check(t, err)
	equal(t, "replay", replay, false)
}

func testFanOut(t *testing.T, s *store.Store) {
	run, _ := create(t, s, 1203, func(i int, x *octopus.Execution) { x.Pool = "p" })
	equal(t, "inserted at first", run.Counts.Total(), 500)
	equal(t, "planned in all", run.Total, 1203)
	waiting, err := s.UnexpandedRuns(t.Context())
	check(t, err)
	if len(waiting) != 1 || waiting[0] != run.ID {
		t.Fatalf("unexpanded %v", waiting)
	}
	for _, want := range []int{203, 0, 0} {
		left, err := s.ExpandRun(t.Context(), run.ID)
		check(t, err)
		equal(t, "left", left, want)
	}
	run, err = s.Run(t.Context(), run.ID)
	check(t, err)
	equal(t, "queued", run.Counts[octopus.Queued], 1203)
	seen := map[string]bool{}
	for cursor := ""; ; {
		items, next, err := s.RunExecutions(t.Context(), run.ID, store.Page{Limit: 500, Cursor: cursor})
		check(t, err)
		for _, x := range items {
			seen[x.ID] = true
		}
		if cursor = next; next == "" {
			break
		}
	}
	equal(t, "listed", len(seen), 1203)
	waiting, err = s.UnexpandedRuns(t.Context())
	check(t, err)
	equal(t, "unexpanded", len(waiting), 0)
	_, err = s.ExpandRun(t.Context(), "run_none")
	wantCode(t, err, octopus.CodeNotFound)
}

func testLife(t *testing.T, s *store.Store) {
	run, ids := create(t, s, 2, nil)
	equal(t, "status", run.Status(), octopus.RunQueued)
	step(t, s, ids[0], Offer("agt_1"), Accept)
	run, err := s.Run(t.Context(), run.ID)
	check(t, err)
	equal(t, "status", run.Status(), octopus.RunRunning)
	if run.StartedAt.IsZero() || !run.FinishedAt.IsZero() {
		t.Fatalf("started %v, finished %v", run.StartedAt, run.FinishedAt)
	}
	step(t, s, ids[0], End(octopus.Succeeded))
	step(t, s, ids[1], Offer("agt_2"), Withdraw, Offer("agt_1"), Accept, End(octopus.Failed))
	run, err = s.Run(t.Context(), run.ID)
	check(t, err)
	equal(t, "status", run.Status(), octopus.RunFailed)
	if run.FinishedAt.IsZero() {
		t.Fatal("the run has no end")
	}
	x, err := s.Execution(t.Context(), ids[1])
	check(t, err)
	equal(t, "fence", x.Fence, 3)
	equal(t, "attempt", x.Attempt, 1)
	equal(t, "response", string(x.Response), string(Response))
	attempts, err := s.Attempts(t.Context(), ids[1])
	check(t, err)
	if len(attempts) != 1 || attempts[0].Status != octopus.Failed || attempts[0].FinishedAt.IsZero() {
		t.Fatalf("attempts %+v", attempts)
	}
	var kinds []string
	events, err := s.Events(t.Context(), ids[1])
	check(t, err)
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	equal(t, "events", strings.Join(kinds, " "), "queued offered withdrawn offered accepted ended")
}

// reach brings a fresh execution into a state.
func reach(t *testing.T, s *store.Store, status octopus.Status) string {
	t.Helper()
	_, ids := create(t, s, 1, nil)
	switch status {
	case octopus.Queued:
	case octopus.Offered:
		step(t, s, ids[0], Offer("agt_1"))
	case octopus.Running:
		step(t, s, ids[0], Offer("agt_1"), Accept)
	case octopus.Expired, octopus.Rejected:
		step(t, s, ids[0], End(status))
	default:
		step(t, s, ids[0], Offer("agt_1"), Accept, End(status))
	}
	return ids[0]
}

func testTransitions(t *testing.T, s *store.Store) {
	for _, from := range octopus.Statuses {
		for _, to := range octopus.Statuses {
			id := reach(t, s, from)
			x, err := s.Step(t.Context(), id, func(x octopus.Execution, now time.Time) (store.Change, error) {
				if x.Status != from {
					t.Errorf("loaded %s, want %s", x.Status, from)
				}
				x.Status = to
				return store.Change{Next: x}, nil
			})
			stored, err2 := s.Execution(t.Context(), id)
			check(t, err2)
			if from == to || from.CanBecome(to) {
				check(t, err)
				equal(t, "returned", x.Status, to)
				equal(t, "stored", stored.Status, to)
			} else {
				if err == nil {
					t.Fatalf("%s became %s", from, to)
				}
				equal(t, "stored", stored.Status, from)
			}
		}
	}
}

func testTerminal(t *testing.T, s *store.Store) {
	id := reach(t, s, octopus.Succeeded)
	before, err := s.Execution(t.Context(), id)
	check(t, err)
	changes := map[string]func(x *octopus.Execution) store.Change{
		"message": func(x *octopus.Execution) store.Change { x.Message = "other"; return store.Change{Next: *x} },
		"fence":   func(x *octopus.Execution) store.Change { x.Fence++; return store.Change{Next: *x} },
		"agent":   func(x *octopus.Execution) store.Change { x.AgentID = "agt_2"; return store.Change{Next: *x} },
		"result": func(x *octopus.Execution) store.Change {
			return store.Change{Next: *x, Results: []octopus.NamedResult{{Name: "n", Value: Response}}}
		},
		"response": func(x *octopus.Execution) store.Change {
			x.Response = json.RawMessage(`{}`)
			return store.Change{Next: *x}
		},
	}
	for name, change := range changes {
		_, err := s.Step(t.Context(), id, func(x octopus.Execution, _ time.Time) (store.Change, error) { return change(&x), nil })
		after, err2 := s.Execution(t.Context(), id)
		check(t, err2)
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s changed a terminal execution (%v)", name, err)
		}
	}
	_, err = s.Step(t.Context(), id, func(x octopus.Execution, _ time.Time) (store.Change, error) {
		return store.Change{Evidence: json.RawMessage(`{"late":true}`), Events: []octopus.Event{{Kind: "late_result", Message: "Late."}}}, nil
	})
	check(t, err)
	evidence, err := s.Evidence(t.Context(), id)
	check(t, err)
	if len(evidence) != 1 || string(evidence[0].Body) != `{"late":true}` {
		t.Fatalf("evidence %+v", evidence)
	}
}

func testStepErrors(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 1, nil)
	refused := errors.New("no")
	_, err := s.Step(t.Context(), ids[0], func(octopus.Execution, time.Time) (store.Change, error) { return store.Change{}, refused })
	if !errors.Is(err, refused) {
		t.Fatalf("error %v", err)
	}
	_, err = s.Step(t.Context(), ids[0], func(octopus.Execution, time.Time) (store.Change, error) { panic("step") })
	if err == nil {
		t.Fatal("a panic was no error")
	}
	x, err := s.Step(t.Context(), ids[0], func(octopus.Execution, time.Time) (store.Change, error) { return store.Change{}, store.ErrNoChange })
	check(t, err)
	equal(t, "status", x.Status, octopus.Queued)
	_, err = s.Step(t.Context(), "exe_none", Accept)
	wantCode(t, err, octopus.CodeNotFound)
	for name, change := range map[string]func(*octopus.Execution){
		"fence back": func(x *octopus.Execution) { x.Fence = -1 },
		"other id":   func(x *octopus.Execution) { x.ID = "exe_2" },
		"other run":  func(x *octopus.Execution) { x.RunID = "run_2" },
	} {
		_, err := s.Step(t.Context(), ids[0], func(x octopus.Execution, _ time.Time) (store.Change, error) {
			change(&x)
			return store.Change{Next: x}, nil
		})
		if err == nil {
			t.Errorf("%s was stored", name)
		}
	}
}

func testStepBatch(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 3, nil)
	stepped, err := s.StepBatch(t.Context(), append(ids, "exe_none"), Offer("agt_1"))
	if err != nil || len(stepped) != 3 { // any(3) on one agent: the unique rule forbids it
		wantCode(t, err, octopus.CodeConflict)
	} else {
		t.Fatal("one agent got three executions of an any(3)")
	}
	stepped, err = s.StepBatch(t.Context(), append(ids, "exe_none"), End(octopus.Cancelled))
	check(t, err)
	equal(t, "stepped", len(stepped), 3)
	for _, x := range stepped {
		equal(t, "status", x.Status, octopus.Cancelled)
	}
}

// testGroupedFailures mixes operations that fail after they wrote with others, at once: only their own is undone.
func testGroupedFailures(t *testing.T, s *store.Store) {
	run, ids := create(t, s, 60, nil)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			if i%3 == 0 { // the attempt is written, then the cache entry of another is refused: undone
				_, err := s.StepBatch(t.Context(), []string{id, ids[(i+1)%len(ids)]}, func(x octopus.Execution, now time.Time) (store.Change, error) {
					if x.ID != id {
						return store.Change{}, errors.New("second one fails")
					}
					return End(octopus.Expired)(x, now)
				})
				if err == nil {
					t.Error("a failing batch succeeded")
				}
				return
			}
			if _, err := s.Step(t.Context(), id, End(octopus.Cancelled)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	run, err := s.Run(t.Context(), run.ID)
	check(t, err)
	equal(t, "cancelled", run.Counts[octopus.Cancelled], 40)
	equal(t, "queued", run.Counts[octopus.Queued], 20)
	o, err := s.Overview(t.Context())
	check(t, err)
	equal(t, "cancelled in the roll-up", o.ByStatus24h[octopus.Cancelled], 40)
	equal(t, "queued in the roll-up", o.Queued, 20)
}

func testPayloads(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 1, nil)
	step(t, s, ids[0], Offer("agt_1"), Accept)
	large := json.RawMessage(`{"status_code":200,"message":"` + string(bytes.Repeat([]byte("ü"), 300_000)) + `"}`)
	_, err := s.Step(t.Context(), ids[0], func(x octopus.Execution, now time.Time) (store.Change, error) {
		change, err := End(octopus.Succeeded)(x, now)
		change.Next.Response, change.Next.Message = large, strings.Repeat("ü", 1000)
		change.Results = []octopus.NamedResult{{Name: "rows", Value: json.RawMessage(`[1,2]`)}, {Name: "a", Value: json.RawMessage(`"x"`)}}
		change.Cache = []octopus.CacheEntry{{Region: "plugin data", Key: "plugin/noop/last", Value: json.RawMessage(`1`)}}
		return change, err
	})
	check(t, err)
	x, err := s.Execution(t.Context(), ids[0])
	check(t, err)
	if !bytes.Equal(x.Response, large) {
		t.Fatal("the response was changed")
	}
	equal(t, "message", x.Message, strings.Repeat("ü", 150))
	results, err := s.Results(t.Context(), ids[0])
	check(t, err)
	if len(results) != 2 || results[0].Name != "a" || string(results[1].Value) != "[1,2]" {
		t.Fatalf("results %+v", results)
	}
	e, found, err := s.CacheGet(t.Context(), "plugin data", "plugin/noop/last")
	check(t, err)
	equal(t, "cache entry", found && string(e.Value) == "1", true)
	lean, _, err := s.Executions(t.Context(), store.ExecutionFilter{}, store.Page{})
	check(t, err)
	if lean[0].Response != nil || lean[0].Params != nil {
		t.Fatal("a list loaded a payload")
	}
}
