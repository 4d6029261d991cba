package sim

import (
	"context"
	"time"

	"octopus/e2e/history"
	"octopus/internal/octopus"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// people are the clients: they ask until they are answered, with the same idempotency key, at whichever server.
type people struct {
	w    *World
	runs map[int]string // by submission: what was acknowledged
	acks int

	promises []history.Promise
}

// answerWithin is how long a client waits before it asks again.
const answerWithin = 10 * time.Second

func (p *people) want(x wish) {
	p.w.after(x.at, nil, func() { p.ask(x) })
}

// ask makes one try.
func (p *people) ask(x wish) {
	w := p.w
	s := w.servers[w.rng.IntN(len(w.servers))]
	answered := false
	again := func(d time.Duration) {
		w.after(d, nil, func() {
			if !answered {
				answered = true
				p.ask(x)
			}
		})
	}
	id, ok := p.subject(x)
	if !ok {
		if !w.calm {
			again(2 * time.Second)
		}
		return
	}
	again(answerWithin)
	if !s.up() || s.draining {
		return
	}
	w.after(w.between(0, 3*time.Millisecond), s.proc, func() {
		w.spawn(s.proc, func() {
			asked := w.now
			reply := p.serve(s, x, id, asked)
			w.after(w.between(0, 3*time.Millisecond), nil, func() {
				if s.proc == nil || answered {
					return
				}
				if reply() {
					answered = true
				}
			})
		})
	})
}

// subject is the execution that a wish is about.
func (p *people) subject(x wish) (id string, ok bool) {
	if x.kind == "submit" {
		return "", true
	}
	run := p.runs[x.of]
	if run == "" {
		return "", false
	}
	var ids []string
	for _, id := range p.w.db.ids {
		if p.w.db.rows[id].RunID == run {
			ids = append(ids, id)
		}
	}
	if x.nth < len(ids) {
		return ids[x.nth], true
	}
	return ids[0], true
}

// serve is what a server does with a request. The reply reports whether the client is content.
func (p *people) serve(s *server, x wish, id string, asked time.Duration) func() bool {
	ctx, w := context.Background(), p.w
	key := &store.Idempotency{Scope: "ada", Key: x.key}
	failed := func(err error) func() bool {
		return func() bool {
			w.note("client", "%s %s: %v", x.kind, id, err)
			return octopus.CodeOf(err) != octopus.CodeUnavailable && octopus.CodeOf(err) != octopus.CodeInternal
		}
	}
	switch x.kind {
	case "submit", "retry":
		var run octopus.Run
		var err error
		if x.kind == "submit" {
			run, _, err = s.d.Submit(ctx, dispatch.Submission{Work: x.work, By: "ada", Source: "api", Key: key})
		} else {
			run, _, err = s.d.Retry(ctx, id, "ada", "api", key)
		}
		if err != nil {
			if x.kind == "retry" && octopus.CodeOf(err) == octopus.CodeConflict {
				return failed(octopus.Errorf(octopus.CodeUnavailable, "it still runs"))
			}
			return failed(err)
		}
		return func() bool { p.acknowledged(x, run, asked); return true }
	case "cancel":
		y, err := s.d.Cancel(ctx, id, "ada")
		if err != nil {
			return failed(err)
		}
		return func() bool { p.stopped(history.Cancel, y, asked); return true }
	}
	y, err := s.d.ForceClose(ctx, id, "ada")
	if err != nil {
		return failed(err)
	}
	return func() bool { p.stopped(history.ForceClose, y, asked); return true }
}

// acknowledged is promise 1: what was answered exists.
func (p *people) acknowledged(x wish, run octopus.Run, asked time.Duration) {
	p.w.note("client", "is told that %s is accepted", run.ID)
	p.acks++
	p.promised(history.Submit, x.key, run.ID, "", asked)
	p.w.faults["acknowledged runs"]++
	if p.w.db.runs[run.ID] == nil {
		p.w.violated("promise 1: %s was acknowledged and does not exist", run.ID)
		return
	}
	if x.kind == "submit" {
		p.runs[x.of] = run.ID
	} else {
		p.runs[1000+p.acks] = run.ID
	}
}

// stopped holds the answer to a cancel or a force-close against what is stored.
func (p *people) stopped(what history.Kind, told octopus.Execution, asked time.Duration) {
	p.w.note("client", "is told that the %s of %s holds", what, told.ID)
	p.promised(what, "", told.RunID, told.ID, asked)
	r := p.w.db.rows[told.ID]
	switch {
	case r == nil:
		p.w.violated("%s was answered and does not exist", told.ID)
	case what == history.ForceClose && !r.Status.Terminal():
		p.w.violated("promise 4: %s was force-closed and is %s", told.ID, r.Status)
	case r.CancelledAt.IsZero() && !r.Status.Terminal():
		p.w.violated("the cancel of %s was acknowledged and is not stored", told.ID)
	}
}
