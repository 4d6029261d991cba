package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"octopus/e2e/history"
	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
)

// database is the model of the database that all servers of a history share: the contract of server/store without
// SQL. A write is one step of the world, so that it is a transaction; what was written survives every crash. The
// real stores are held to the same contract by server/store/storetest.
//
// Why a model: a history makes some thousand transactions. The model takes a microsecond for one, SQLite in memory
// some fifty, and ten thousand seeds are to be played while somebody waits.
type database struct {
	w        *World
	dialect  string
	rows     map[string]*row
	ids      []string // of rows, in the order that they were made
	runs     map[string]*octopus.Run
	keys     map[string]string // idempotency key → run
	agents   map[string]*octopus.Agent
	agentIDs []string
	homes    map[string]string                   // agent → server of its open session
	sessions map[string][]octopus.AgentSession   // newest first
	servers  map[string]store.Server             // leases
	attempts map[string]map[int]*octopus.Attempt // of executions, by number
	broken   time.Duration                       // until then nothing can be read or written
	skew     time.Duration                       // of its clock

	blobs     map[string][]byte
	sightings []history.Sighting
}

// row is an execution as it is stored.
type row struct {
	octopus.Execution
	spread   bool
	results  int // how often a response was written
	evidence int
}

func newDatabase(w *World) *database {
	return &database{
		w: w, dialect: "sqlite", rows: make(map[string]*row), runs: make(map[string]*octopus.Run), keys: make(map[string]string),
		agents: make(map[string]*octopus.Agent), homes: make(map[string]string), sessions: make(map[string][]octopus.AgentSession),
		servers: make(map[string]store.Server), attempts: make(map[string]map[int]*octopus.Attempt), blobs: make(map[string][]byte),
	}
}

// now is the database's clock.
func (b *database) now() time.Time { return b.w.clock().Add(b.skew) }

// handle is a server's way to the database. Methods that are not here are not used by what is simulated.
type handle struct {
	unused
	s *server
	b *database
}

var errBroken = octopus.Errorf(octopus.CodeUnavailable, "The database does not answer.")

// point is where a server process may be interrupted, or end.
func (h *handle) point(where string) {
	w := h.b.w
	if w.task == nil || w.task.p != h.s.proc {
		return
	}
	if h.s.crashIn > 0 {
		if h.s.crashIn--; h.s.crashIn == 0 {
			w.fault("server crash "+where[:6], h.s.name, "crashes %s", where)
			h.s.crash()
			w.die()
		}
	}
	switch n := w.rng.IntN(40); {
	case n == 0:
		w.pause(w.between(0, 800*time.Millisecond)) // a slow disk
	case n < 12:
		w.pause(w.between(0, 3*time.Millisecond))
	}
}

// write is one transaction.
func (h *handle) write(what string, do func() error) error {
	h.point("before the commit of " + what)
	if h.b.broken > h.b.w.now {
		if !h.b.w.chance(4) {
			return errBroken
		}
		_ = do() // it is committed, and the answer is lost
		return errBroken
	}
	err := do()
	if err != nil {
		return err
	}
	h.point("after the commit of " + what)
	return nil
}

// read is a read outside of a transaction.
func (h *handle) read() error {
	if h.b.broken > h.b.w.now {
		return errBroken
	}
	return nil
}

// hint goes to the servers' bus.
func (h *handle) hint(topic, id string) { h.s.Publish(bus.Hint{Topic: topic, ID: id}) }

func notFound(what, id string) error {
	return octopus.Errorf(octopus.CodeNotFound, "There is no %s %q.", what, id)
}

// step changes one row as store.Step does.
func (b *database) step(who, id string, step store.StepFunc) (octopus.Execution, error) {
	r := b.rows[id]
	if r == nil {
		return octopus.Execution{}, notFound("execution", id)
	}
	x := lean(r)
	c, err := step(x, b.now())
	if errors.Is(err, store.ErrNoChange) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	return b.apply(who, r, c)
}

// lean is a row as steps see it.
func lean(r *row) octopus.Execution {
	x := r.Execution
	x.Params, x.Response = nil, nil
	return x
}

// apply writes a change and holds it against the promises.
func (b *database) apply(who string, r *row, c store.Change) (octopus.Execution, error) {
	x := lean(r)
	if c.Next.ID == "" {
		c.Next = x
	}
	if b.taken(r, c.Next) {
		return x, octopus.Errorf(octopus.CodeConflict, "That agent already has another execution of this run.")
	}
	b.w.checkCommit(r, &c)
	if len(b.w.broken) > 0 {
		return x, fmt.Errorf("a promise is broken")
	}
	response, params := r.Response, r.Params
	r.Execution = c.Next
	r.Params, r.Response = params, response
	b.sees(r.Execution)
	if c.Next.Response != nil && !bytes.Equal(c.Next.Response, response) {
		r.Response = slices.Clone(c.Next.Response)
		r.results++
	}
	if c.Evidence != nil {
		r.evidence++
	}
	if a := c.Attempt; a != nil {
		if b.attempts[x.ID] == nil {
			b.attempts[x.ID] = make(map[int]*octopus.Attempt)
		}
		kept := *a
		b.attempts[x.ID][a.Number] = &kept
	}
	if x.Status != r.Status || x.Fence != r.Fence || x.Cancelling != r.Cancelling || c.Evidence != nil {
		b.w.note(who, "commits %s %s→%s fence %d attempt %d %s%s", x.ID, x.Status, r.Status, r.Fence, r.Attempt, r.AgentID, why(r, c))
	}
	return lean(r), nil
}

func why(r *row, c store.Change) string {
	switch {
	case c.Evidence != nil:
		return ", evidence"
	case r.Cancelling:
		return ", cancelling"
	case r.Reason != nil:
		return ", " + r.Reason.Code
	}
	return ""
}

// taken is the unique index over run and agent.
func (b *database) taken(r *row, next octopus.Execution) bool {
	if !r.spread || next.Status != octopus.Offered && next.Status != octopus.Running {
		return false
	}
	for _, id := range b.ids {
		o := b.rows[id]
		if o != r && o.RunID == r.RunID && o.AgentID == next.AgentID && (o.Status == octopus.Offered || o.Status == octopus.Running) {
			return true
		}
	}
	return false
}
