package history

import "time"

// settle is how long a live page may lag behind the database (DESIGN §2, promise 8).
const settle = 2 * time.Second

// kept: what was acknowledged exists.
func (c *checker) kept() {
	runs := make(map[string]bool, len(c.Stored))
	for _, x := range c.Stored {
		runs[x.Run] = true
	}
	for _, p := range c.Promises {
		if p.Kind != Submit && p.Kind != Retry {
			continue
		}
		if p.Run != "" && !runs[p.Run] {
			c.broken(RuleLost, "", "run %s was acknowledged at %s and is not there", p.Run, clock(p.At))
		}
		for _, id := range p.Executions {
			if c.stored[id] == nil {
				c.broken(RuleLost, id, "was acknowledged at %s and is not there", clock(p.At))
			}
		}
	}
}

// once: one key, one run, whether or not an answer ever came.
func (c *checker) once() {
	runOf := make(map[string]string)
	note := func(key, run string) {
		if key == "" || run == "" {
			return
		}
		if before, ok := runOf[key]; ok && before != run {
			c.broken(RuleDoubled, "", "the key %q made %s and %s", key, before, run)
			return
		}
		runOf[key] = run
	}
	for _, p := range c.Promises {
		note(p.Key, p.Run)
	}
	for _, x := range c.Stored {
		note(x.Key, x.Run)
	}
}

// ends: nothing lives at the end, and nothing lived longer than it may.
func (c *checker) ends() {
	for _, x := range c.Stored {
		switch {
		case !terminal(x.Status):
			c.broken(RuleEnds, x.ID, "is still %s", x.Status)
		case x.Bound > 0 && x.ended().Sub(x.CreatedAt) > x.Bound:
			c.broken(RuleEnds, x.ID, "ended as %s after %s; its bound is %s", x.Status, x.ended().Sub(x.CreatedAt), x.Bound)
		}
	}
}

// final: whoever has seen an end sees it from then on, and everybody sees the same one.
func (c *checker) final() {
	type end struct {
		status, observer string
		at               time.Time
	}
	ended := make(map[string]end)     // the earliest terminal sighting
	own := make(map[[2]string]string) // by observer and execution: the end that it has seen
	for _, s := range c.Sightings {
		key := [2]string{s.Observer, s.Execution}
		if before, ok := own[key]; ok && before != s.Status {
			c.broken(RuleFinal, s.Execution, "%s saw it %s and then %s", s.Observer, before, s.Status)
		}
		if !terminal(s.Status) {
			continue
		}
		own[key] = s.Status
		if e, ok := ended[s.Execution]; !ok || s.At.Before(e.at) {
			ended[s.Execution] = end{s.Status, s.Observer, s.At}
		}
	}
	for _, s := range c.Sightings {
		e, ok := ended[s.Execution]
		switch {
		case !ok || s.Status == e.status:
		case terminal(s.Status):
			c.broken(RuleFinal, s.Execution, "%s saw it %s and %s saw it %s", e.observer, e.status, s.Observer, s.Status)
		case !s.Asked.IsZero() && s.Asked.After(e.at):
			c.broken(RuleFinal, s.Execution, "%s saw it %s after %s had seen it %s", s.Observer, s.Status, e.observer, e.status)
		}
	}
	for id, e := range ended {
		if x := c.stored[id]; x != nil && x.Status != e.status {
			c.broken(RuleFinal, id, "%s saw it %s at %s, and it is stored as %s", e.observer, e.status, clock(e.at), x.Status)
		}
	}
}

// cancelled: an acknowledged cancel is written down, and whatever had not begun by then never does.
func (c *checker) cancelled() {
	for _, p := range c.Promises {
		if p.Kind != Cancel {
			continue
		}
		for _, id := range p.Executions {
			x := c.stored[id]
			if x == nil {
				continue // another rule says so
			}
			if x.CancelledBy == "" {
				c.broken(RuleCancel, id, "its cancel was acknowledged at %s and is not stored; it is %s", clock(p.At), x.Status)
			}
			for _, a := range x.Attempts {
				if a.GoAt.After(p.At) {
					c.broken(RuleCancel, id, "its cancel was acknowledged at %s, and attempt %d was let go at %s", clock(p.At), a.Number, clock(a.GoAt))
				}
			}
		}
	}
}

// forceClosed: a force-close has ended it by the time of its answer.
func (c *checker) forceClosed() {
	for _, p := range c.Promises {
		if p.Kind != ForceClose {
			continue
		}
		for _, id := range p.Executions {
			x := c.stored[id]
			switch {
			case x == nil:
			case x.Status != "cancelled" || x.Reason != "force_closed":
				c.broken(RuleForceClose, id, "was force-closed at %s and is %s (%s)", clock(p.At), x.Status, x.Reason)
			case x.ended().After(p.At):
				c.broken(RuleForceClose, id, "was force-closed at %s and ended at %s", clock(p.At), clock(x.ended()))
			}
		}
	}
}

// views: two seconds after a reconnect, a page shows what the database had held two seconds before.
func (c *checker) views() {
	for _, v := range c.Views {
		if v.At.Sub(v.Since) < settle {
			continue
		}
		for id, shown := range v.Shown {
			x := c.stored[id]
			if x == nil || !terminal(x.Status) || x.ended().IsZero() || v.At.Sub(x.ended()) < settle {
				continue
			}
			if shown != x.Status {
				c.broken(RuleView, id, "%s showed it %s at %s, %s after it had ended as %s",
					v.Observer, shown, clock(v.At), v.At.Sub(x.ended()).Round(time.Millisecond), x.Status)
			}
		}
	}
}

func clock(at time.Time) string { return at.UTC().Format("15:04:05.000000") }
