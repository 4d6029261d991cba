package agent

import (
	"context"
	"net"
	"os"
	"os/user"
	"runtime"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"octopus/internal/octopus"
)

// facts is what the agent says of its machine when it connects.
func (a *Agent) facts() octopus.Facts {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	f := octopus.Facts{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), AgentVersion: a.config.Version,
		Slots: a.config.Slots, Labels: a.config.Labels, Addresses: addresses(), Policy: a.policy.String(),
		Commands: a.policy.Commands(), Scripts: a.config.AllowScripts,
	}
	f.Hostname, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		f.User = u.Username
	}
	if info, err := host.InfoWithContext(ctx); err == nil {
		f.Platform = info.Platform
		if info.PlatformVersion != "" {
			f.Platform += " " + info.PlatformVersion
		}
		f.Kernel = info.KernelVersion
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		f.MemoryBytes = m.Total
	}
	if a.pool != nil {
		level := a.pool.Level()
		f.Sandbox = octopus.Sandbox{Level: level.Name, Has: level.Has, Missing: level.Missing, Without: level.Without}
	}
	return f
}

// addresses are those that others could reach this machine at, at most 16.
func addresses() []string {
	var out []string
	list, _ := net.InterfaceAddrs()
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || n.IP.IsLinkLocalUnicast() {
			continue
		}
		out = append(out, n.IP.String())
	}
	slices.Sort(out)
	return out[:min(len(out), 16)]
}

// loadAverage is the one-minute load, 0 where the system has none.
func loadAverage() float64 {
	avg, err := load.Avg()
	if err != nil {
		return 0
	}
	return avg.Load1
}
