package hub

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A connection costs about a millisecond of one core: TLS, a signature, a read and a write of the database. Letting
// in at most 250 a second for each core leaves most of the machine to the work and the pages; beginning slower
// spreads the return of a fleet, whose first second is its fullest. What is under way at a time is bounded too: on a
// slow machine the agents that have been let in would else wait so long that they go away and come anew.
const (
	admitFirst   = 150 // a second, before anybody was held back
	admitCore    = 250 // a second for each core, at most
	admitLeast   = 20  // a second, on the slowest machine
	openingCore  = 24  // under way for each core, at most
	returnWithin = 30  // seconds: nobody is sent away for longer
)

// admission decides how many agents are let in. It begins at admitFirst a second, lets in more each second as long
// as agents are held back and the machine keeps up, and fewer when it does not.
type admission struct {
	most, first float64 // static: a second
	atOnce      int     // static: under way

	mu      sync.Mutex
	opening int           // these are guarded by mu
	limit   *rate.Limiter // its rate and burst change with each step
	step    time.Time     // when the limit was last looked at
	refused int           // since then
	slow    bool          // since then: too much was under way
	waiting float64       // about how many were sent away and will come again
}

// newAdmission makes one. An operator's number of agents a second is taken at its word from the start; 0 is what the
// machine's cores can do, after a slow start.
func newAdmission(perSecond float64) *admission {
	cores := runtime.GOMAXPROCS(0)
	a := &admission{most: perSecond, first: perSecond, atOnce: openingCore * max(cores, 2)}
	if perSecond <= 0 {
		a.most = float64(admitCore * cores)
		a.first = min(admitFirst, a.most)
	}
	a.limit = rate.NewLimiter(rate.Limit(a.first), burst(a.first))
	return a
}

// burst is how many may come at the same moment.
func burst(perSecond float64) int { return max(int(perSecond/4), 1) }

// enter lets one in, whose caller calls leave; or says after how many seconds it should come back.
func (a *admission) enter(now time.Time) (after int, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.adapt(now)
	a.slow = a.slow || a.opening >= a.atOnce
	if a.opening >= a.atOnce || !a.limit.AllowN(now, 1) {
		a.refused++
		a.waiting++
		within := min(max(a.waiting/float64(a.limit.Limit()), 2), returnWithin) // all who wait, spread over their time
		return 1 + rand.IntN(int(within)), false
	}
	a.waiting = max(0, a.waiting-1)
	a.opening++
	return 0, true
}

// again counts the second half of an opening that was let in before: its hello. It is never refused.
func (a *admission) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opening++
}

// leave ends an enter or an again.
func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opening--
}

// adapt looks at what happened since the last step, once a second. a.mu is held.
func (a *admission) adapt(now time.Time) {
	passed := now.Sub(a.step)
	if passed < time.Second {
		return
	}
	next := float64(a.limit.Limit())
	switch {
	case passed > time.Minute: // nobody came for a while
		next, a.waiting = a.first, 0
	case a.slow:
		next = max(next/2, min(admitLeast, a.first))
	case a.refused > 0:
		next = min(next*1.5, a.most)
	default:
		a.waiting /= 2
	}
	a.step, a.refused, a.slow = now, 0, false
	a.limit.SetLimitAt(now, rate.Limit(next))
	a.limit.SetBurstAt(now, burst(next))
}
