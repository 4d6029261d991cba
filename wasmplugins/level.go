package wasmplugins

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"octopus/wasmplugins/internal/cgroup"
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
//
// Without names layers that this machine does not allow, and why. They stand
// behind others, and the level does not count them: an empty network, and a
// control group that counts what a runner's own limits cannot.
type Level struct {
	Name    string   `json:"name"`
	Has     []string `json:"has"`
	Missing []string `json:"missing"`
	Without []string `json:"without,omitempty"`
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

// hasMemory is the layer that the pool adds, as a level calls it.
const hasMemory = "a control group that limits memory"

const (
	// groupSlack is what a group counts beside what RLIMIT_DATA does, in
	// bytes: page tables, stacks of the kernel's, pipes.
	groupSlack = 16 << 20
	// groupThreads and a few for each processor are more than Go's runtime
	// ever starts, and far from what a machine has.
	groupThreads = 256
)

// groupLimits are those of a runner's control group. Memory is the runner's
// own limit once more: that one is not for memory which is shared, or which
// the kernel uses on its behalf.
func groupLimits(s frame.Setup) cgroup.Limits {
	return cgroup.Limits{Memory: s.Data + groupSlack, Threads: groupThreads + 4*runtime.NumCPU()}
}

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

// reach probes the sandbox. A layer that this process turns out to have no
// right to make is left out.
func (p *Pool) reach() (Level, error) {
	var without []string
	leave := func(what string, err error) { without = append(without, what+": "+err.Error()) }
	var err error
	if p.groups, err = cgroup.Open(); err != nil && groupsExist {
		leave(hasMemory, err)
	}
	if p.apart = p.network != ""; !p.apart && groupsExist {
		leave(lockdown.HasNetwork, errors.New("/proc does not tell its namespace"))
	}
	for {
		level, err := p.probe()
		switch {
		case err == nil && p.groups != nil:
			level.Has = append(level.Has, hasMemory)
			fallthrough
		case err == nil:
			level.Without = without
			return level, nil
		case p.groups != nil && errors.Is(err, cgroup.ErrRefused):
			leave(hasMemory, err)
			p.groups.Close()
			p.groups = nil
		case p.apart: // making one needs rights that an agent seldom has
			leave(lockdown.HasNetwork, err)
			p.apart = false
		default:
			return Level{}, err
		}
	}
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
