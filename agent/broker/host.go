package broker

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// hostParts are what host.info can tell.
var hostParts = []string{"os", "cpu", "memory", "load", "disks"}

// cpuSample is how long the use of the CPU is measured.
const cpuSample = 200 * time.Millisecond

type hostReply struct {
	Hostname string      `json:"hostname,omitempty"`
	Uptime   uint64      `json:"uptime_seconds,omitempty"`
	OS       *hostOS     `json:"os,omitempty"`
	CPU      *hostCPU    `json:"cpu,omitempty"`
	Memory   *hostMemory `json:"memory,omitempty"`
	Load     *hostLoad   `json:"load,omitempty"`
	Disks    []hostDisk  `json:"disks,omitempty"`
}

type hostOS struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
	Version  string `json:"version"`
	Kernel   string `json:"kernel"`
	Arch     string `json:"arch"`
}

type hostCPU struct {
	Model   string  `json:"model"`
	Cores   int     `json:"cores"`
	Threads int     `json:"threads"`
	Used    float64 `json:"used_percent"`
}

type hostMemory struct {
	Total     uint64  `json:"total_bytes"`
	Available uint64  `json:"available_bytes"`
	Used      uint64  `json:"used_bytes"`
	Percent   float64 `json:"used_percent"`
	SwapTotal uint64  `json:"swap_total_bytes"`
	SwapUsed  uint64  `json:"swap_used_bytes"`
}

type hostLoad struct {
	One     float64 `json:"one"`
	Five    float64 `json:"five"`
	Fifteen float64 `json:"fifteen"`
}

type hostDisk struct {
	Mount         string  `json:"mount"`
	Device        string  `json:"device"`
	FS            string  `json:"fs"`
	Total         uint64  `json:"total_bytes"`
	Free          uint64  `json:"free_bytes"`
	Used          uint64  `json:"used_bytes"`
	Percent       float64 `json:"used_percent"`
	InodesTotal   uint64  `json:"inodes_total"`
	InodesFree    uint64  `json:"inodes_free"`
	InodesPercent float64 `json:"inodes_used_percent"`
	ReadOnly      bool    `json:"read_only"`
}

// hostInfo tells the parts that are granted, or of those the ones asked for.
func (b *Broker) hostInfo(ctx context.Context, req []byte) (any, *Error) {
	var r struct {
		Parts []string `json:"parts"`
	}
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	parts, failure := b.grantedParts(r.Parts)
	if failure != nil {
		return nil, failure
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var reply hostReply
	for _, part := range parts {
		if err := reply.fill(ctx, part); err != nil {
			return nil, errorf("internal", "The agent's system does not tell its %s: %s.", part, plain(err))
		}
	}
	return reply, nil
}

func (b *Broker) grantedParts(asked []string) ([]string, *Error) {
	byName := len(asked) > 0
	if !byName {
		asked = hostParts
	}
	var out []string
	for _, part := range asked {
		if !slices.Contains(hostParts, part) {
			return nil, invalid("parts", "%q is none of os, cpu, memory, load and disks.", part)
		}
		granted := slices.Contains(b.config.Grant.Host, part) || slices.Contains(b.config.Grant.Host, "*")
		switch {
		case !granted && byName:
			return nil, b.notGranted("host." + part)
		case !b.config.Policy.Host(part) && byName:
			return nil, b.notAllowed("host." + part)
		case granted && b.config.Policy.Host(part) && !slices.Contains(out, part):
			out = append(out, part)
		}
	}
	if len(out) == 0 {
		if len(b.config.Grant.Host) > 0 {
			return nil, b.notAllowed("host.info")
		}
		return nil, b.notGranted("host.info")
	}
	return out, nil
}

func (h *hostReply) fill(ctx context.Context, part string) error {
	switch part {
	case "os":
		return h.fillOS(ctx)
	case "cpu":
		return h.fillCPU(ctx)
	case "memory":
		return h.fillMemory(ctx)
	case "load":
		if avg, err := load.AvgWithContext(ctx); err == nil { // Windows has none
			h.Load = &hostLoad{avg.Load1, avg.Load5, avg.Load15}
		}
		return nil
	}
	return h.fillDisks(ctx)
}

func (h *hostReply) fillOS(ctx context.Context) error {
	info, err := host.InfoWithContext(ctx)
	if err != nil {
		return fmt.Errorf("system: %w", err)
	}
	h.Hostname, h.Uptime = info.Hostname, info.Uptime
	h.OS = &hostOS{runtime.GOOS, info.Platform, info.PlatformVersion, info.KernelVersion, runtime.GOARCH}
	return nil
}

func (h *hostReply) fillCPU(ctx context.Context) error {
	used, err := cpu.PercentWithContext(ctx, cpuSample, false)
	if err != nil || len(used) == 0 {
		return fmt.Errorf("use of the CPU: %w", err)
	}
	h.CPU = &hostCPU{Threads: runtime.NumCPU(), Cores: runtime.NumCPU(), Used: used[0]}
	if n, err := cpu.CountsWithContext(ctx, false); err == nil && n > 0 {
		h.CPU.Cores = n
	}
	if n, err := cpu.CountsWithContext(ctx, true); err == nil && n > 0 {
		h.CPU.Threads = n
	}
	if info, err := cpu.InfoWithContext(ctx); err == nil && len(info) > 0 {
		h.CPU.Model = info[0].ModelName
	}
	return nil
}

func (h *hostReply) fillMemory(ctx context.Context) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	h.Memory = &hostMemory{Total: m.Total, Available: m.Available, Used: m.Used, Percent: m.UsedPercent}
	if s, err := mem.SwapMemoryWithContext(ctx); err == nil {
		h.Memory.SwapTotal, h.Memory.SwapUsed = s.Total, s.Used
	}
	return nil
}

// fillDisks lists real file systems, each device once.
func (h *hostReply) fillDisks(ctx context.Context) error {
	list, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return fmt.Errorf("disks: %w", err)
	}
	readOnly := readOnlyDevices()
	seen := map[string]bool{}
	h.Disks = []hostDisk{}
	for _, p := range list {
		if seen[p.Device] || p.Fstype == "squashfs" {
			continue
		}
		use, err := disk.UsageWithContext(ctx, p.Mountpoint)
		if err != nil || use.Total == 0 {
			continue // gone, not ours to see, or a pseudo file system
		}
		seen[p.Device] = true
		d := hostDisk{
			Mount: p.Mountpoint, Device: p.Device, FS: p.Fstype, Total: use.Total, Free: use.Free, Used: use.Used,
			Percent: use.UsedPercent, InodesTotal: use.InodesTotal, InodesFree: use.InodesFree,
			InodesPercent: use.InodesUsedPercent, ReadOnly: slices.Contains(p.Opts, "ro"),
		}
		if ro, known := readOnly[p.Device]; known {
			d.ReadOnly = ro
		}
		h.Disks = append(h.Disks, d)
	}
	return nil
}
