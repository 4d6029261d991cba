// Command system-info reports the operating system, processor, memory, load
// and disks of the machine that the agent runs on.
package main

import (
	"fmt"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"collect": plugin.Action(collect)}

func main() { plugin.Main(actions) }

type params struct {
	Parts []string `json:"parts"` // empty: all that is granted
}

func collect(ctx *plugin.Context, p params) plugin.Response {
	info, err := ctx.HostInfo(p.Parts...)
	if err != nil {
		return plugin.FailWith(err, "The agent does not tell: %v", err)
	}
	res := plugin.OK("%s", sentence(info)).WithResult(info)
	if info.CPU != nil {
		ctx.Log("CPU: %s, %d threads, %.0f %% busy", info.CPU.Model, info.CPU.Threads, info.CPU.UsedPercent)
		res = res.WithMetric("cpu_used_percent", info.CPU.UsedPercent)
	}
	if info.Memory != nil {
		ctx.Log("memory: %s of %s in use", size(info.Memory.UsedBytes), size(info.Memory.TotalBytes))
		res = res.WithMetric("memory_used_percent", info.Memory.UsedPercent)
	}
	if info.Load != nil {
		ctx.Log("load: %.2f %.2f %.2f", info.Load.One, info.Load.Five, info.Load.Fifteen)
		res = res.WithMetric("load_one", info.Load.One)
	}
	for _, d := range info.Disks {
		ctx.Log("disk %s (%s): %.0f %% of %s in use", d.Mount, d.FS, d.UsedPercent, size(d.TotalBytes))
	}
	if info.Disks != nil {
		res = res.WithDB("disks", info.Disks)
	}
	return res
}

// sentence says the most telling facts that are known: "web-01: Debian 12 on
// amd64, 8 threads, 16.0 GiB of memory, up 3 days.".
func sentence(info plugin.HostInfo) string {
	var facts []string
	if info.OS != nil {
		facts = append(facts, strings.TrimSpace(info.OS.Platform+" "+info.OS.Version)+" on "+info.OS.Arch)
	}
	if info.CPU != nil {
		facts = append(facts, reach.Count(info.CPU.Threads, "thread"))
	}
	if info.Memory != nil {
		facts = append(facts, size(info.Memory.TotalBytes)+" of memory")
	}
	if len(info.Disks) > 0 {
		facts = append(facts, reach.Count(len(info.Disks), "disk"))
	}
	if info.UptimeSeconds > 0 {
		facts = append(facts, "up "+uptime(int64(info.UptimeSeconds)))
	}
	if len(facts) == 0 {
		facts = append(facts, "nothing was granted to tell")
	}
	name := info.Hostname
	if name == "" {
		name = "This machine"
	}
	return name + ": " + strings.Join(facts, ", ") + "."
}

func uptime(seconds int64) string {
	switch {
	case seconds >= 2*86400:
		return reach.Count(int(seconds/86400), "day")
	case seconds >= 2*3600:
		return reach.Count(int(seconds/3600), "hour")
	}
	return reach.Count(int(seconds/60), "minute")
}

// size writes bytes as people read them, in powers of 1024.
func size(bytes int64) string {
	v, units := float64(bytes), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
