package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"octopus/internal/bench"
)

func (o *options) world(ctx context.Context, name string) (*bench.World, error) {
	return bench.OwnServer(ctx, bench.WorldOptions{Binary: o.binary, Folder: filepath.Join(o.folder, name)})
}

// settle is how long a process is left alone before its memory at rest is read.
const settle = 5 * time.Second

// starts measures what starts and waits.
func (o *options) starts(ctx context.Context) error {
	w, err := o.world(ctx, "start")
	if err != nil {
		return err
	}
	defer w.Stop()
	var took []time.Duration
	for range 5 {
		if err := w.Restart(ctx); err != nil {
			return err
		}
		took = append(took, w.Ready)
	}
	slices.Sort(took)
	o.table.row("cold start on an existing database, middle of 5", "≤ 300 ms", fmt.Sprintf("%d ms", took[2].Milliseconds()))
	time.Sleep(settle)
	o.table.row("idle server, memory", "≤ 60 MB", memory(w.ServerPID()))
	if err := w.Agent(ctx, 0); err != nil {
		return err
	}
	time.Sleep(settle)
	o.table.row("idle agent without warm runners, memory", "≤ 20 MB", memory(w.AgentPID()))
	return nil
}

// executions measures the life of no-op executions: server, agent and client are three processes on this machine.
// The agent has a slot for each that is in flight, and in the last row fewer, so that most wait for a slot.
func (o *options) executions(ctx context.Context) error {
	for _, slots := range []int{64, 8} {
		if err := o.executionsOn(ctx, slots); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) executionsOn(ctx context.Context, slots int) error {
	w, err := o.world(ctx, fmt.Sprintf("executions-%d", slots))
	if err != nil {
		return err
	}
	defer w.Stop()
	if err := w.Agent(ctx, slots); err != nil {
		return err
	}
	goals := map[int]string{1: "p50 ≤ 3 ms", 16: "p99 ≤ 25 ms", 64: "≥ 1,500/s, server ≤ 0.6 ms CPU"}
	for _, c := range []int{1, 16, 64} {
		if slots < 64 && c <= 16 { // measured above, with a slot for each
			continue
		}
		var r bench.ExecutionsResult
		if err := load(ctx, o.binary, w, &r, "executions", "-c", fmt.Sprint(c), "--duration", "10s"); err != nil {
			return err
		}
		goal := goals[c]
		if slots < c {
			goal = ""
		}
		o.table.row(fmt.Sprintf("noop over REST → recorded result, %d in flight, agent with %d slots", c, slots), goal,
			fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, %.0f/s; CPU each: server %.2f, agent %.2f, runners %.2f, client %.2f ms",
				r.Latency.P50, r.Latency.P99, r.Rate, r.ServerCPU, r.AgentCPU, r.RunnerCPU, r.ClientCPU))
		if r.Ended["succeeded"] != r.Count {
			return fmt.Errorf("runs ended as %v", r.Ended)
		}
	}
	return nil
}

// watch measures viewers of a page: many sockets, one update for all.
func (o *options) watch(ctx context.Context) error {
	w, err := o.world(ctx, "viewers")
	if err != nil {
		return err
	}
	defer w.Stop()
	if err := w.Agent(ctx, 8); err != nil {
		return err
	}
	for _, n := range []int{1000, o.viewers} {
		if n <= 0 {
			continue
		}
		var v bench.ViewersResult
		if err := load(ctx, o.binary, w, &v, "viewers", "-n", fmt.Sprint(n)); err != nil {
			return err
		}
		goal := "≤ 25 µs"
		if n > 1000 {
			goal = "10,000: ≤ 0.5 core, ≤ 300 MB"
		}
		o.table.row(fmt.Sprintf("%d viewers of a page, 2 updates/s, CPU for each message", n), goal,
			fmt.Sprintf("%.1f µs (%d messages); %.0f %% of a core, %s in all, first word after p50 %.0f ms, p99 %.0f ms",
				v.CPUPerUnit, v.Messages, v.Server.CPUPercent, megabytes(v.Server.ResidentAfter), v.FirstMessage.P50, v.FirstMessage.P99))
	}
	return nil
}

// fleets measures idle agents, and how they come back after a crash.
func (o *options) fleets(ctx context.Context) error {
	for _, withTLS := range []bool{false, true} {
		args := []string{"agents", "--own", "-n", fmt.Sprint(o.agents), "--hold", "30s"}
		how, goal := "plain", "≤ 16 KB"
		if withTLS {
			args = append(args, "--tls")
			how, goal = "TLS", "≤ 32 KB; 10,000: ≤ 350 MB, ≤ 15 % of a core"
		} else {
			args = append(args, "--hold", "60s", "--down", "5s", "--work", fmt.Sprint(min(200, o.agents/10)))
		}
		var r bench.AgentsResult
		if err := load(ctx, o.binary, nil, &r, args...); err != nil {
			return err
		}
		o.table.row(fmt.Sprintf("%d idle agents, %s, server memory each", r.Connected, how), goal,
			fmt.Sprintf("%.1f KB; %s in all, %.1f %% of a core, heartbeat p99 %.1f ms", float64(r.BytesPerAgent)/1024,
				megabytes(r.Holding.ResidentAfter), r.Holding.CPUPercent, r.Heartbeat.P99))
		o.table.row(fmt.Sprintf("%d agents, %s, to enrol and to connect", r.Connected, how), "",
			fmt.Sprintf("%.0f s and %.0f s (%.1f ms CPU each)", r.EnrolSeconds, r.ConnectSeconds, 1000*r.Connecting.CPUSeconds/float64(r.Agents)))
		if withTLS {
			continue
		}
		o.table.row("database statements for each heartbeat", "0", fmt.Sprintf("%.3f (%d heartbeats)", r.Statements.PerHeartbeat, r.Heartbeat.Count))
		o.crash(r)
	}
	return nil
}

func (o *options) crash(r bench.AgentsResult) {
	c := r.Crash
	if c == nil {
		return
	}
	o.table.row(fmt.Sprintf("server killed with %d agents, down %.0f s, all back after ready", r.Agents, c.DownSeconds), "≤ 60 s",
		fmt.Sprintf("%.0f s (half after %.0f s), fullest second %.1f × the mean of 99 %%", c.BackSeconds, c.Back.P50/1000, c.ConnectRate.PeakOverMean))
	o.table.row("the agents page and the API meanwhile", "p99 < 1 s", fmt.Sprintf("p99 %.0f ms and %.0f ms", c.Page.P99, c.API.P99))
	o.table.row(fmt.Sprintf("of %d executions that ran", c.Work.Running), "nothing lost, nothing doubled",
		fmt.Sprintf("%d lost, %d doubled, %d results refused", c.Work.Lost, c.Work.Doubled, c.Work.Refused))
}

// lists measures every list on a server with a long history.
func (o *options) lists(ctx context.Context) error {
	if o.history <= 0 {
		return nil
	}
	w, err := o.world(ctx, "lists")
	if err != nil {
		return err
	}
	defer w.Stop()
	w.StopServer()
	var made bench.FillResult
	if err := load(ctx, o.binary, nil, &made, "fill", "-n", fmt.Sprint(o.history), "--data", w.Data()); err != nil {
		return err
	}
	if err := w.Serve(ctx); err != nil {
		return err
	}
	o.table.row(fmt.Sprintf("start with %d executions stored (%s)", made.Executions, megabytes(made.Bytes)), "", fmt.Sprintf("%d ms", w.Ready.Milliseconds()))
	var r bench.ListsResult
	if err := load(ctx, o.binary, w, &r, "lists"); err != nil {
		return err
	}
	slow := 0
	for _, l := range r.Lists {
		if l.Failure != "" {
			o.table.row(l.Path, "", "failed: "+l.Failure)
		}
		if l.P95 > 100 || l.Failure != "" {
			slow++
		}
	}
	worst := r.Lists[0]
	o.table.row(fmt.Sprintf("%d list pages and API lists, each with its filters, p95", len(r.Lists)), "≤ 100 ms",
		fmt.Sprintf("worst %.0f ms (%s); %d over the goal or failed", worst.P95, worst.Path, slow))
	return nil
}
