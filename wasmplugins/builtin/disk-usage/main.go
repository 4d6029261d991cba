// Command disk-usage fails when a file system of the machine is too full.
package main

import (
	"fmt"
	"slices"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"check": plugin.Action(check)}

func main() { plugin.Main(actions) }

type params struct {
	WarnPercent float64  `json:"warn_percent"` // 90 if 0
	Mounts      []string `json:"mounts"`       // empty: all
	Ignore      []string `json:"ignore"`       // mount points, with all below them
	Inodes      *bool    `json:"inodes"`       // also look at inodes; true if nil
}

type row struct {
	Mount             string  `json:"mount"`
	FS                string  `json:"fs"`
	TotalBytes        int64   `json:"total_bytes"`
	FreeBytes         int64   `json:"free_bytes"`
	UsedPercent       float64 `json:"used_percent"`
	InodesUsedPercent float64 `json:"inodes_used_percent"`
	Full              bool    `json:"full"`
}

type result struct {
	WarnPercent float64 `json:"warn_percent"`
	Disks       []row   `json:"disks"`
}

func check(ctx *plugin.Context, p params) plugin.Response {
	if p.WarnPercent == 0 {
		p.WarnPercent = 90
	}
	info, err := ctx.HostInfo("disks")
	if err != nil {
		return plugin.FailWith(err, "The agent does not tell its disks: %v", err)
	}
	if missing := unknown(p.Mounts, info.Disks); len(missing) > 0 {
		return plugin.Fail(404, "Nothing is mounted at %s.", strings.Join(missing, ", ")).WithCode("not_found")
	}
	rows := measure(p, info.Disks)
	if len(rows) == 0 {
		return plugin.Fail(404, "There is no file system to look at.").WithCode("not_found")
	}
	for _, r := range rows {
		ctx.Log("%s (%s): %.1f %% used", r.Mount, r.FS, r.UsedPercent)
	}
	fullest := slices.MaxFunc(rows, func(a, b row) int { return int(a.UsedPercent*100) - int(b.UsedPercent*100) })
	return judge(p, rows, fullest).WithResult(result{p.WarnPercent, rows}).
		WithMetric("max_used_percent", fullest.UsedPercent).WithDB("disks", rows)
}

func measure(p params, disks []plugin.Disk) []row {
	var rows []row
	for _, d := range disks {
		if len(p.Mounts) > 0 && !slices.Contains(p.Mounts, d.Mount) || ignored(p.Ignore, d) {
			continue
		}
		r := row{Mount: d.Mount, FS: d.FS, TotalBytes: d.TotalBytes, FreeBytes: d.FreeBytes, UsedPercent: d.UsedPercent, InodesUsedPercent: d.InodesUsedPercent}
		inodes := (p.Inodes == nil || *p.Inodes) && r.InodesUsedPercent >= p.WarnPercent
		r.Full = r.UsedPercent >= p.WarnPercent || inodes
		rows = append(rows, r)
	}
	return rows
}

// ignored skips what is always full by nature: read-only images.
func ignored(ignore []string, d plugin.Disk) bool {
	if d.TotalBytes == 0 || d.FS == "squashfs" || d.FS == "iso9660" {
		return true
	}
	return slices.ContainsFunc(ignore, func(m string) bool {
		return d.Mount == m || strings.HasPrefix(d.Mount, strings.TrimSuffix(m, "/")+"/")
	})
}

func unknown(mounts []string, disks []plugin.Disk) (missing []string) {
	for _, m := range mounts {
		if !slices.ContainsFunc(disks, func(d plugin.Disk) bool { return d.Mount == m }) {
			missing = append(missing, m)
		}
	}
	return missing
}

func judge(p params, rows []row, fullest row) plugin.Response {
	var full []string
	for _, r := range rows {
		switch {
		case r.Full && r.UsedPercent >= p.WarnPercent:
			full = append(full, fmt.Sprintf("%s is %.1f %% full", r.Mount, r.UsedPercent))
		case r.Full:
			full = append(full, fmt.Sprintf("%s has used %.1f %% of its inodes", r.Mount, r.InodesUsedPercent))
		}
	}
	if len(full) > 0 {
		return plugin.Fail(417, "%s (limit %g %%).", strings.Join(full, ", "), p.WarnPercent).WithCode("too_full")
	}
	return plugin.OK("%s, the fullest is %s with %.1f %%.", reach.Count(len(rows), "file system"), fullest.Mount, fullest.UsedPercent)
}
