//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// fault is one thing that is done to one target for some time.
type fault struct {
	kind   string
	target string
	at     time.Duration // from the beginning
	lasts  time.Duration
}

func (f fault) String() string {
	return fmt.Sprintf("%8s %-12s %-10s for %s", f.at.Round(time.Millisecond), f.kind, f.target, f.lasts.Round(time.Millisecond))
}

// kindOf is a kind of fault: how often it is chosen, and between what times it lasts.
type kindOf struct {
	name     string
	class    string // of its targets
	weight   int
	min, max time.Duration
}

// allKinds are all faults. A kill and a stop last until the process is started again. Most are short, as real ones are;
// the long ones are longer than an agent's silence may be, and than a server's lease is valid.
var allKinds = []kindOf{
	{"kill", "server", 6, 100 * time.Millisecond, 3 * time.Second},
	{"restart", "server", 4, 0, 0},
	{"freeze", "server", 5, 300 * time.Millisecond, 5 * time.Second},
	{"freeze-long", "server", 1, 16 * time.Second, 22 * time.Second},
	{"stop", "server", 2, 0, time.Second},
	{"kill", "agent", 8, 100 * time.Millisecond, 8 * time.Second},
	{"restart", "agent", 10, 0, 20 * time.Millisecond},
	{"freeze", "agent", 8, 300 * time.Millisecond, 12 * time.Second},
	{"freeze-long", "agent", 1, 30 * time.Second, 50 * time.Second},
	{"stop", "agent", 3, 0, 2 * time.Second},
	{"lose-up", "link", 7, 500 * time.Millisecond, 15 * time.Second},
	{"lose-down", "link", 7, 500 * time.Millisecond, 15 * time.Second},
	{"lose-long", "link", 2, 30 * time.Second, 45 * time.Second},
	{"hold", "link", 7, 500 * time.Millisecond, 15 * time.Second},
	{"delay", "link", 6, 2 * time.Second, 15 * time.Second},
	{"slow", "link", 5, 2 * time.Second, 10 * time.Second},
	{"reset", "link", 12, 0, 0},
	{"lose-up", "door", 3, 500 * time.Millisecond, 5 * time.Second},
	{"lose-down", "door", 5, 500 * time.Millisecond, 5 * time.Second},
	{"hold", "door", 3, 500 * time.Millisecond, 5 * time.Second},
	{"slow", "door", 2, time.Second, 5 * time.Second},
	{"reset", "door", 8, 0, 0},
	{"pull", "cable", 20, 500 * time.Millisecond, 12 * time.Second},
	{"pull-long", "cable", 2, 30 * time.Second, 50 * time.Second},
	{"full", "disk", 3, time.Second, 4 * time.Second},
}

// rest is how long a target is left alone after a fault, so that it also works: a server longer, because with it
// everything stops.
var rest = map[string]time.Duration{"server": 4 * time.Second, "agent": 2 * time.Second, "link": time.Second, "door": time.Second, "cable": 3 * time.Second, "disk": 20 * time.Second}

// plan draws the faults of a run from its seed. The same seed and the same targets give the same plan.
func plan(o Options, targets map[string][]string) (faults []fault) {
	random := rand.New(rand.NewPCG(o.Seed, 1))
	total := 0
	var kinds []kindOf // those that there are targets for
	for _, k := range allKinds {
		if len(targets[k.class]) > 0 {
			kinds = append(kinds, k)
			total += k.weight
		}
	}
	if total == 0 {
		return nil
	}
	busy := make(map[string]time.Duration)
	if list := targets["cable"]; len(list) > 0 { // it is what the test is about: it is pulled at least once
		faults = append(faults, fault{"pull", list[0], time.Second, min(8*time.Second, o.Duration)})
		busy[list[0]] = faults[0].at + faults[0].lasts + rest["cable"]
	}
	for at := time.Second; at < o.Duration; at += time.Duration(random.ExpFloat64() * float64(o.Pace)) {
		k, lasts := draw(random, kinds, total)
		var free []string
		well := 0
		for _, target := range targets[k.class] {
			if busy[target] <= at {
				free = append(free, target)
			}
		}
		for _, target := range targets["server"] {
			if busy[target]-rest["server"] <= at {
				well++
			}
		}
		if len(free) == 0 || k.class == "server" && len(targets["server"]) > 1 && well < 2 {
			continue // one server always works where there are several
		}
		f := fault{k.name, free[random.IntN(len(free))], at, min(lasts, max(o.Duration-at, 0))}
		busy[f.target] = at + f.lasts + rest[k.class]
		faults = append(faults, f)
	}
	return faults
}

func draw(random *rand.Rand, kinds []kindOf, total int) (kindOf, time.Duration) {
	n := random.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k, k.min + time.Duration(random.Int64N(int64(k.max-k.min)+1))
		}
	}
	panic("the weights do not add up")
}

// class is what kind of target a name is.
func class(target string) string { return target[:strings.IndexByte(target, '-')] }
