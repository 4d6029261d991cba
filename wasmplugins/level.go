package wasmplugins

import (
	"context"
	"slices"
	"time"

	"octopus/wasmplugins/internal/frame"
	"octopus/wasmplugins/internal/lockdown"
	"octopus/wasmplugins/internal/runner"
)

// Level is how well this machine contains a runner:
//
//   - "full": a process of its own with limits, a system call filter, no
//     files, and, where the agent is root, a user of its own (Linux);
//   - "filtered": as full, but without one of the outer layers; Missing says
//     which (an older Linux kernel without Landlock);
//   - "process": a process of its own with limits that ends with the agent,
//     and no filter (Windows);
//   - "basic": a process of its own, and nothing that the system enforces
//     against it but a limit on processor time (macOS).
type Level struct {
	Name    string   `json:"name"`
	Has     []string `json:"has"`
	Missing []string `json:"missing"`
}

// levels from the weakest to the strongest.
var levels = []string{"basic", "process", "filtered", "full"}

// AtLeast says whether the level is the named one or a stronger one. Unknown
// names are never reached; the empty name always is.
func (l Level) AtLeast(name string) bool {
	return name == "" || slices.Contains(levels, name) && slices.Index(levels, l.Name) >= slices.Index(levels, name)
}

// Level was probed when the pool started.
func (p *Pool) Level() Level { return p.level }

func levelOf(has, missing []string) Level {
	l := Level{Name: "basic", Has: has, Missing: missing}
	switch {
	case slices.Contains(has, lockdown.HasFilter) && len(missing) == 0:
		l.Name = "full"
	case slices.Contains(has, lockdown.HasFilter):
		l.Name = "filtered"
	case slices.Contains(has, lockdown.HasLimits), slices.Contains(has, lockdown.HasJob):
		l.Name = "process"
	}
	return l
}

// probe starts one runner that locks itself down and says how that went.
func (p *Pool) probe() (Level, error) {
	c, err := p.spawn(frame.Setup{Mode: "probe", CPU: 60, Data: runnerData}, nil)
	if err == nil {
		err = p.await(context.Background(), c, 20*time.Second)
	}
	if c != nil {
		c.end()
	}
	if err != nil {
		return Level{}, err
	}
	return levelOf(c.hello.Has, c.hello.Missing), nil
}

// RunnerMain is the command "octopus runner". It returns an exit code. It
// takes no arguments: what to do comes over standard input.
func RunnerMain(_ []string) int { return runner.Main(rewrite) }

// HideMemory keeps processes of the same user from reading this one's memory
// (Linux: not dumpable). The agent calls it once, before it reads its key.
func HideMemory() error { return lockdown.HideMemory() }
