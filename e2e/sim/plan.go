package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"octopus/internal/octopus"
)

// faultsEnd is when faults stop: everything is started again, and what was acknowledged must come to its end.
const faultsEnd = 180 * time.Second

// Plan is what a seed means: who is there, what people want, and what goes wrong.
type Plan struct {
	Seed    uint64
	Servers int
	Slots   []int                  // of each agent
	Bus     int                    // 0: off; 1: good; more: one hint in so many is lost, and one doubled
	Polls   []bool                 // of each agent: most of its connections are long polls
	Levels  []octopus.SandboxLevel // of each agent
	Double  int                    // one message in so many is followed by the latest ones again; 0: none
	Slowest time.Duration
	Wishes  []wish
	Faults  []fault
}

// wish is something that somebody wants.
type wish struct {
	at   time.Duration
	kind string // submit, cancel, force-close, retry
	work octopus.Work
	of   int // all but submit: the submission that it is about
	nth  int // and which of its executions
	key  string
}

// fault is something that goes wrong.
type fault struct {
	at    time.Duration
	kind  string
	who   int // server or agent
	other int
	n     int           // crashes: at so many points more
	long  time.Duration // how long it lasts, or until the process is back
}

func (f fault) String() string {
	return fmt.Sprintf("%7.3f %s of %d (other %d, n %d, %s)", f.at.Seconds(), f.kind, f.who, f.other, f.n, f.long.Round(time.Millisecond))
}

// serverFaults and the others are what goes wrong; a kind that is listed twice is twice as frequent.
var (
	serverFaults = []string{"server crash", "server crash", "server crash at a point", "server crash at a point", "server stop", "server freeze"}
	agentFaults  = []string{"agent crash", "agent crash at a point", "agent crash at a point", "power cut", "power cut at a point",
		"agent stop", "agent asleep", "clock jump", "journal lost", "disk full", "drained", "disabled", "fast restart"}
	netFaults = []string{"break", "break", "silent break", "half open up", "half open down", "stall", "partition"}
	dbFaults  = []string{"database broken", "database clock"}
)

// NewPlan draws a plan from a seed.
func NewPlan(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := Plan{Seed: seed, Servers: 1, Bus: 1, Slowest: 100 * time.Millisecond}
	if r.IntN(2) == 0 {
		p.Servers, p.Bus = 1+r.IntN(3), []int{0, 1, 3, 10}[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		p.Double = 5 + r.IntN(60)
	}
	if r.IntN(3) == 0 {
		p.Slowest = 4 * time.Second
	}
	for range 1 + r.IntN(4) {
		p.Slots = append(p.Slots, 1+r.IntN(3))
	}
	p.wishes(r)
	p.draw(r)
	polls := rand.New(rand.NewPCG(seed, 2)) // apart from the rest, which is as it was before there were long polls
	for range p.Slots {
		p.Polls = append(p.Polls, polls.IntN(3) == 0)
	}
	p.contain(rand.New(rand.NewPCG(seed, 3)))
	return p
}

// contain draws how well agents contain plugins, and what some work asks of them.
func (p *Plan) contain(r *rand.Rand) {
	level := func() octopus.SandboxLevel { return octopus.SandboxLevels[r.IntN(len(octopus.SandboxLevels))] }
	for range p.Slots {
		p.Levels = append(p.Levels, octopus.SandboxFull)
		if r.IntN(3) == 0 {
			p.Levels[len(p.Levels)-1] = level()
		}
	}
	for i := range p.Wishes {
		if r.IntN(4) == 0 {
			p.Wishes[i].work.Sandbox = level()
		}
	}
}

func within(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

func (p *Plan) wishes(r *rand.Rand) {
	for i := range 2 + r.IntN(9) {
		at := within(r, time.Second, 150*time.Second)
		p.Wishes = append(p.Wishes, wish{at: at, kind: "submit", work: p.work(r), of: i, key: fmt.Sprintf("key%d", i)})
		for r.IntN(3) == 0 {
			kind := []string{"cancel", "cancel", "force-close", "retry"}[r.IntN(4)]
			later := within(r, 0, 5*time.Second)
			if r.IntN(2) == 0 {
				later = within(r, 0, 60*time.Second)
			}
			p.Wishes = append(p.Wishes, wish{at: at + later, kind: kind, of: i, nth: r.IntN(3), key: fmt.Sprintf("again%d", len(p.Wishes))})
		}
	}
}

// work is what a submission asks for.
func (p *Plan) work(r *rand.Rand) octopus.Work {
	w := octopus.Work{
		Plugin: pluginName, Action: "once", Timeout: within(r, time.Second, 40*time.Second), WaitTTL: within(r, 20*time.Second, 120*time.Second),
		MaxAttempts: 1 + r.IntN(3), OnLost: octopus.OnLostFail, Params: json.RawMessage(`"x"`),
	}
	if r.IntN(2) == 0 {
		w.Action, w.OnLost = "again", octopus.OnLostRetry
	}
	if r.IntN(2) == 0 {
		w.Deadline = within(r, 10*time.Second, 240*time.Second)
	}
	if r.IntN(3) == 0 {
		w.Timeout = within(r, 40*time.Second, 200*time.Second)
	}
	if r.IntN(4) > 0 {
		w.LostAfter = within(r, 10*time.Second, 60*time.Second)
	}
	switch r.IntN(5) {
	case 0:
		w.Target = octopus.Target{Mode: octopus.TargetAll}
	case 1:
		w.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: agentID(r.IntN(len(p.Slots)))}
	default:
		w.Target = octopus.Target{Mode: octopus.TargetAny, Count: 1 + r.IntN(3)}
	}
	if r.IntN(10) == 0 {
		w.Params = json.RawMessage(fmt.Sprintf(`"%s refuses"`, agentName(r.IntN(len(p.Slots)))))
	}
	return w
}

func agentName(i int) string { return fmt.Sprintf("web-%d", i+1) }
func agentID(i int) string   { return fmt.Sprintf("agt_%d", i+1) }

func (p *Plan) draw(r *rand.Rand) {
	for range 3 + r.IntN(25) {
		f := fault{at: within(r, 0, faultsEnd), n: 1 + r.IntN(60), long: within(r, 0, 4*time.Second)}
		if r.IntN(3) == 0 {
			f.long = within(r, 0, 60*time.Second)
		}
		var kinds []string
		switch r.IntN(8) {
		case 0, 1:
			kinds, f.who = serverFaults, r.IntN(p.Servers)
		case 2, 3, 4:
			kinds, f.who = agentFaults, r.IntN(len(p.Slots))
		case 5, 6:
			kinds, f.who, f.other = netFaults, r.IntN(len(p.Slots)), r.IntN(p.Servers)
		default:
			kinds = dbFaults
		}
		f.kind = kinds[r.IntN(len(kinds))]
		if f.kind == "agent asleep" || f.kind == "clock jump" || f.kind == "partition" {
			f.long = within(r, 0, 150*time.Second)
		}
		p.Faults = append(p.Faults, f)
	}
}
