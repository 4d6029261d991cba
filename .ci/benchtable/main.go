// Benchtable measures the rows of docs/operations.md on this machine and prints them as a table: it starts its own
// servers and agents in a temporary folder, and puts load on them with `octopus bench`.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.binary, "binary", "./octopus", "the program to measure")
	flag.IntVar(&o.agents, "agents", 10_000, "simulated agents")
	flag.IntVar(&o.viewers, "viewers", 10_000, "viewers of a page, after a thousand")
	flag.IntVar(&o.history, "history", 1_000_000, "stored executions that the lists are read from; 0 leaves them out")
	flag.BoolVar(&o.gobench, "go", false, "run the Go benchmarks too; they take several minutes more")
	flag.StringVar(&o.only, "only", "", "measure only these parts: start, executions, viewers, agents, hostile, sandbox, lists, size")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, only             string
	agents, viewers, history int
	gobench                  bool
	folder                   string
	table                    table
}

func (o *options) run(ctx context.Context) (err error) {
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if o.folder, err = os.MkdirTemp("", "octopus-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.folder)
	fmt.Printf("Octopus %s on %s\n\n", output(ctx, o.binary, "version"), machine())
	begun := time.Now()
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"start", o.starts}, {"executions", o.executions}, {"viewers", o.watch}, {"agents", o.fleets}, {"hostile", o.harm}, {"sandbox", o.sandbox}, {"lists", o.lists}, {"size", o.size},
	} {
		if o.only != "" && !strings.Contains(","+o.only+",", ","+part.name+",") {
			continue
		}
		if err := part.measure(ctx); err != nil { // what was measured is still worth printing
			if ctx.Err() != nil {
				return ctx.Err()
			}
			o.table.row(part.name, "", "failed: "+err.Error())
		}
	}
	o.table.print()
	fmt.Printf("\nMeasured in %s.\n", time.Since(begun).Round(time.Second))
	if o.gobench {
		return gobench(ctx)
	}
	return nil
}

func gobench(ctx context.Context) error {
	fmt.Println("\nGo benchmarks")
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchtime", "1s", "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "FAIL") {
			fmt.Print(line)
		}
	}
	return err
}

// machine names what this ran on.
func machine() string {
	model := "unknown CPU"
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
				break
			}
		}
	}
	load := ""
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load before " + strings.Fields(string(raw))[0]
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s%s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format(time.DateOnly), load)
}

func output(ctx context.Context, binary string, args ...string) string {
	out, err := exec.CommandContext(ctx, binary, args...).Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "octopus ")
}
