package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
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
func (o *options) size(ctx context.Context) error {
	path := filepath.Join(o.folder, "stripped")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env, cmd.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("stripped build: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	size := info.Size()
	embedded, _ := filepath.Glob("wasmplugins/builtin/dist/*.wasm.gz") // the pattern is good
	for _, p := range embedded {
		if i, err := os.Stat(p); err == nil {
			size -= i.Size()
		}
	}
	o.table.row("binary without plugins, as make dist builds it", "≤ 35 MB", megabytes(size))
	return nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// memory is what a process holds: its own, and with the pages of the executable that it has touched, which all
// processes of the program share and the system may drop.
func memory(pid int) string {
	own, all := status(pid, "RssAnon:"), status(pid, "VmRSS:")
	return fmt.Sprintf("%s of its own, %s with the executable's", megabytes(own), megabytes(all))
}

// status is a number of bytes in a process's status, 0 where the system does not tell.
func status(pid int, field string) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64) // the kernel writes numbers
			return kb << 10
		}
	}
	return 0
}
