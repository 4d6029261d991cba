package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// result: the response that is stored is the one that its attempt journalled, where a journal still has it.
func (c *checker) result() {
	type try struct {
		execution string
		fence     int64
	}
	journalled := make(map[try][]Result)
	for _, j := range c.Journals {
		for _, r := range j.Results {
			k := try{r.Execution, r.Fence}
			journalled[k] = append(journalled[k], r)
		}
	}
	for _, x := range c.Stored {
		if x.Response == nil || x.Host || len(x.Attempts) == 0 {
			continue
		}
		last := x.Attempts[len(x.Attempts)-1]
		results := journalled[try{x.ID, last.Fence}]
		for _, r := range results {
			if !same(r, x.Response) {
				c.broken(RuleResult, x.ID, "attempt %d journalled %.200s and %.200s is stored", last.Number, r.Response, x.Response)
			}
		}
	}
}

// same compares a journalled response with a stored one: byte by byte, white space between values aside.
func same(r Result, stored []byte) bool {
	if r.SHA256 != "" {
		sum := sha256.Sum256(stored)
		return hex.EncodeToString(sum[:]) == r.SHA256
	}
	return bytes.Equal(compact(r.Response), compact(stored))
}

func compact(raw []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}

// starts: a guest starts once for each attempt, and an execution max_attempts times over all; once by default. Both
// the witness and the journals are asked: a guest may die between its record and its first call.
func (c *checker) starts() {
	type try struct {
		execution string
		attempt   int
	}
	seen, written := make(map[try]int), make(map[try]int)
	total, records := make(map[string]int), make(map[string]int)
	for _, m := range c.Witness {
		if m.Start {
			seen[try{m.Execution, m.Attempt}]++
			total[m.Execution]++
		}
	}
	for _, j := range c.Journals {
		for _, s := range j.Started {
			written[try{s.Execution, s.Attempt}]++
			records[s.Execution]++
		}
	}
	for what, counts := range map[string]map[try]int{"the witness saw": seen, "journals hold": written} {
		for k, n := range counts {
			if n > 1 {
				c.broken(RuleStarts, k.execution, "%s %d starts of attempt %d", what, n, k.attempt)
			}
		}
	}
	for what, counts := range map[string]map[string]int{"the witness saw": total, "journals hold": records} {
		for id, n := range counts {
			if most := c.maxAttempts(id); n > most {
				c.broken(RuleStarts, id, "%s %d starts, and it may start %d times", what, n, most)
			}
		}
	}
}

func (c *checker) maxAttempts(id string) int {
	if x := c.stored[id]; x != nil {
		return max(x.MaxAttempts, 1)
	}
	return 1
}

// overlap: once a newer attempt has started, an older one does nothing any more.
func (c *checker) overlap() {
	newest := make(map[string]int)
	for _, m := range c.Witness {
		if m.Attempt < newest[m.Execution] {
			c.broken(RuleOverlap, m.Execution, "attempt %d called at %s, after attempt %d had started", m.Attempt, clock(m.At), newest[m.Execution])
		}
		if m.Start && m.Attempt > newest[m.Execution] {
			newest[m.Execution] = m.Attempt
		}
	}
}

// grow: attempts and fences only grow, in the database, for each observer and in each journal.
func (c *checker) grow() {
	for _, x := range c.Stored {
		if len(x.Attempts) > 0 && x.Attempt != len(x.Attempts) {
			c.broken(RuleGrow, x.ID, "is at attempt %d and has %d", x.Attempt, len(x.Attempts))
		}
		for i, a := range x.Attempts {
			if a.Number != i+1 || a.Fence > x.Fence || i > 0 && (a.Fence <= x.Attempts[i-1].Fence || a.GoAt.Before(x.Attempts[i-1].GoAt)) {
				c.broken(RuleGrow, x.ID, "attempt %d with fence %d is out of order; the execution's fence is %d", a.Number, a.Fence, x.Fence)
			}
		}
	}
	type mark struct {
		attempt int
		fence   int64
	}
	latest := make(map[[2]string]mark)
	for _, s := range c.Sightings {
		key := [2]string{s.Observer, s.Execution}
		before := latest[key]
		if s.Attempt < before.attempt || s.Fence != 0 && s.Fence < before.fence {
			c.broken(RuleGrow, s.Execution, "%s saw attempt %d and fence %d after %d and %d", s.Observer, s.Attempt, s.Fence, before.attempt, before.fence)
		}
		latest[key] = mark{max(s.Attempt, before.attempt), max(s.Fence, before.fence)}
		if x := c.stored[s.Execution]; x != nil && (s.Attempt > x.Attempt || s.Fence > x.Fence && x.Fence != 0) {
			c.broken(RuleGrow, s.Execution, "%s saw attempt %d and fence %d, and %d and %d are stored", s.Observer, s.Attempt, s.Fence, x.Attempt, x.Fence)
		}
	}
	for _, j := range c.Journals {
		fences := make(map[string]int64)
		for _, s := range j.Started {
			if s.Fence <= fences[s.Execution] {
				c.broken(RuleGrow, s.Execution, "%s started fence %d after fence %d", j.Agent, s.Fence, fences[s.Execution])
			}
			fences[s.Execution] = s.Fence
		}
	}
}

// neverStarted: what the server holds never ran was seen by nobody.
func (c *checker) neverStarted() {
	judge := func(id string, attempt int, who string) {
		x := c.stored[id]
		switch {
		case x == nil:
			c.broken(RuleNeverStarted, id, "%s a start of an execution that the server does not know", who)
		case attempt > x.Attempt:
			c.broken(RuleNeverStarted, id, "%s a start of attempt %d, and the server let only %d go", who, attempt, x.Attempt)
		case attempt >= 1 && attempt <= len(x.Attempts) && x.Attempts[attempt-1].NeverRan:
			c.broken(RuleNeverStarted, id, "%s a start of attempt %d, of which the server says that it never ran", who, attempt)
		}
	}
	for _, m := range c.Witness {
		if m.Start {
			judge(m.Execution, m.Attempt, "the witness saw")
		}
	}
	for _, j := range c.Journals {
		for _, s := range j.Started {
			judge(s.Execution, s.Attempt, j.Agent+" journalled")
		}
	}
}
