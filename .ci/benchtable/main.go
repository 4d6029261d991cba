// Benchtable measures the rows of docs/operations.md on this machine and prints them as a table: it starts its own
// server and agent in a temporary folder, puts load on them with `octopus bench`, and runs the Go benchmarks.
package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	agents := flag.Int("agents", 10_000, "simulated agents")
	gobench := flag.Bool("go", true, "run the Go benchmarks too")
	binary := flag.String("binary", "./octopus", "the program to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *agents, *gobench); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, agents int, gobench bool) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "octopus-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	t := &table{}
	fmt.Printf("Octopus %s on %s\n\n", output(ctx, binary, "version"), machine())
	if err := executions(ctx, binary, filepath.Join(folder, "executions"), t); err != nil {
		return fmt.Errorf("executions: %w", err)
	}
	for _, withTLS := range []bool{false, true} {
		if err := fleet(ctx, binary, filepath.Join(folder, fmt.Sprintf("agents-%t", withTLS)), agents, withTLS, t); err != nil {
			return fmt.Errorf("agents: %w", err)
		}
	}
	if err := t.size(ctx, folder); err != nil {
		return err
	}
	t.print()
	if !gobench {
		return nil
	}
	fmt.Println("\nGo benchmarks")
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchtime", "2s", "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err = cmd.Run()
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
	return fmt.Sprintf("%d × %s, %s/%s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format(time.DateOnly))
}

func output(ctx context.Context, binary string, args ...string) string {
	out, err := exec.CommandContext(ctx, binary, args...).Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "octopus ")
}

// executions measures the life of no-op executions: server, agent and client on this machine.
func executions(ctx context.Context, binary, folder string, t *table) error {
	w, err := start(ctx, binary, folder, false)
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.restart(ctx); err != nil {
		return err
	}
	t.row("cold start on an existing database", "≤ 300 ms", fmt.Sprintf("%d ms", w.ready.Milliseconds()))
	time.Sleep(3 * time.Second) // what the start allocated is given back
	t.row("idle server, memory", "≤ 60 MB", megabytes(resident(w.server.Process.Pid)))
	if err := w.agent(ctx); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	t.row("idle agent without warm runners, memory", "≤ 20 MB", megabytes(resident(w.worker.Process.Pid)))
	for _, c := range []int{1, 16, 64} {
		var r struct {
			Rate    float64            `json:"per_second"`
			Latency map[string]float64 `json:"latency"`
			CPU     float64            `json:"server_cpu_ms_per_execution"`
			Ended   map[string]int     `json:"ended"`
			Count   int                `json:"count"`
		}
		if err := w.bench(ctx, &r, "executions", "-c", fmt.Sprint(c), "--duration", "10s"); err != nil {
			return err
		}
		name := fmt.Sprintf("noop over REST → recorded result, %d in flight", c)
		goal := map[int]string{1: "p50 ≤ 3 ms", 16: "p99 ≤ 25 ms", 64: "≥ 1,500/s, server ≤ 0.6 ms CPU"}[c]
		t.row(name, goal, fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, %.0f/s, server %.2f ms CPU each", r.Latency["p50_ms"], r.Latency["p99_ms"], r.Rate, r.CPU))
		if r.Ended["succeeded"] != r.Count {
			return fmt.Errorf("runs ended as %v", r.Ended)
		}
	}
	var v struct {
		CPU      float64            `json:"server_cpu_us_per_message"`
		First    map[string]float64 `json:"first_message"`
		Messages int                `json:"messages"`
	}
	if err := w.bench(ctx, &v, "viewers", "-n", "1000"); err != nil {
		return err
	}
	t.row("1,000 viewers of a page, CPU for each message", "≤ 25 µs", fmt.Sprintf("%.1f µs (%d messages, first after p50 %.0f ms)", v.CPU, v.Messages, v.First["p50_ms"]))
	return nil
}

// fleet measures idle agents.
func fleet(ctx context.Context, binary, folder string, n int, withTLS bool, t *table) error {
	w, err := start(ctx, binary, folder, withTLS)
	if err != nil {
		return err
	}
	defer w.stop()
	var r struct {
		Connected int                `json:"connected"`
		Seconds   float64            `json:"connect_seconds"`
		Bytes     int64              `json:"server_bytes_per_agent"`
		Heartbeat map[string]float64 `json:"heartbeat"`
		Holding   struct {
			Resident int64   `json:"resident_after_bytes"`
			CPU      float64 `json:"cpu_percent"`
		} `json:"server_while_holding"`
	}
	if err := w.bench(ctx, &r, "agents", "-n", fmt.Sprint(n), "--hold", "40s", "--insecure"); err != nil {
		return err
	}
	how, goal := "plain", "≤ 16 KB"
	if withTLS {
		how, goal = "TLS", "≤ 32 KB; 10,000: ≤ 350 MB, ≤ 15 % of a core"
	}
	t.row(fmt.Sprintf("%d idle agents, %s, server memory each", r.Connected, how), goal,
		fmt.Sprintf("%.1f KB; %s in all, %.1f %% of a core, heartbeat p99 %.1f ms, all connected in %.0f s",
			float64(r.Bytes)/1024, megabytes(r.Holding.Resident), r.Holding.CPU, r.Heartbeat["p99_ms"], r.Seconds))
	if withTLS {
		return nil
	}
	back, err := w.crash(ctx, n)
	if err != nil {
		return err
	}
	t.row(fmt.Sprintf("server killed with %d agents, down 5 s, all back after ready", n), "≤ 60 s", fmt.Sprintf("%.0f s", back.Seconds()))
	return nil
}

// decode reads the JSON object that a bench command printed.
func decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("result %q: %w", raw, err)
	}
	return nil
}
