package store

import (
	"slices"

	"octopus/internal/octopus"
)

// maxCached is how many live executions the writer remembers, about 1 KB each.
const maxCached = 4096

// rowCache remembers live executions as the writer last wrote them, so that a step need not read what the step
// before it wrote: a third of its cost. It is used on SQLite only, where this writer is the only one; should there
// be another one after all, the compare-and-set of a step fails and the row is read. Owned by the writer.
type rowCache struct {
	rows map[string]octopus.Execution // nil: not used
}

// get returns what was last written, without Params and Response.
func (c *rowCache) get(id string) (octopus.Execution, bool) {
	x, ok := c.rows[id]
	if ok {
		x = detach(x)
	}
	return x, ok
}

// put remembers a live execution and forgets one that ended.
func (c *rowCache) put(x octopus.Execution) {
	if c.rows == nil {
		return
	}
	if x.Status.Terminal() {
		delete(c.rows, x.ID)
		return
	}
	if len(c.rows) >= maxCached {
		for id := range c.rows { // an arbitrary one
			delete(c.rows, id)
			break
		}
	}
	x.Params, x.Response = nil, nil
	c.rows[x.ID] = detach(x)
}

func (c *rowCache) forget(id string) { delete(c.rows, id) }

// clear forgets everything: a transaction was undone.
func (c *rowCache) clear() { clear(c.rows) }

// detach copies what an execution points to: the one who gets it may change it.
func detach(x octopus.Execution) octopus.Execution {
	x.Excluded = slices.Clone(x.Excluded)
	if x.Progress != nil {
		x.Progress = new(*x.Progress)
	}
	if x.Waiting != nil {
		x.Waiting = new(*x.Waiting)
	}
	if x.Reason != nil {
		x.Reason = new(*x.Reason)
	}
	return x
}
