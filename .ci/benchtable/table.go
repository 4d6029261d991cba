package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table collects the rows.
type table struct{ rows [][3]string }

func (t *table) row(what, goal, measured string) {
	t.rows = append(t.rows, [3]string{what, goal, measured})
	fmt.Fprintf(os.Stderr, "%s: %s\n", what, measured)
}

func (t *table) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tGOAL\tMEASURED")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r[0], r[1], r[2])
	}
	w.Flush()
}

// size is that of a stripped binary, less the plugins that it embeds.
func (t *table) size(binary string) {
	path := binary
	if dist, err := os.Stat("dist/octopus-linux-amd64"); err == nil && dist.Size() > 0 {
		path = "dist/octopus-linux-amd64"
	}
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	plugins := int64(0)
	embedded, _ := filepath.Glob("wasmplugins/builtin/dist/*.gz") // the pattern is good
	for _, p := range embedded {
		if i, err := os.Stat(p); err == nil {
			plugins += i.Size()
		}
	}
	t.row("binary without plugins ("+filepath.Base(path)+")", "≤ 35 MB", megabytes(info.Size()-plugins))
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// resident is the memory of a process in bytes, 0 where the system does not tell.
func resident(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64) // the kernel writes numbers
			return kb << 10
		}
	}
	return 0
}
