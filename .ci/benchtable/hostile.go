package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"octopus/internal/bench"
	"octopus/sdk"
)

// hostile are modules of wasmplugins/testdata that take all they can get of processor, memory, tables, stack, output,
// log and host calls.
var hostile = []string{
	"loop", "exponential", "indirect", "start_loop", "bulk_fill", "bulk_copy", "table_fill", "random_flood", "call_flood",
	"log_flood", "progress_flood", "reply_flood", "memory_hog", "start_grow", "table_hog", "recursion", "stdout_flood",
}

const (
	hostileRounds  = 3
	hostileTimeout = time.Second
	hostileBeat    = time.Second
)

// harm measures what hostile plugins can do to an agent that runs eight of them at a time.
func (o *options) harm(ctx context.Context) error {
	w, err := bench.OwnServer(ctx, bench.WorldOptions{
		Binary: o.binary, Folder: filepath.Join(o.folder, "hostile"), Env: []string{"OCTOPUS_HEARTBEAT=" + hostileBeat.String()},
	})
	if err != nil {
		return err
	}
	defer w.Stop()
	if err := w.Agent(ctx, 8); err != nil {
		return err
	}
	client := sdk.New(w.URL, w.Token)
	defer client.Close()
	for _, name := range hostile {
		if err := o.publish(ctx, client, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	time.Sleep(2 * settle) // what was published is compiled ahead
	before := status(w.AgentPID(), "VmRSS:")
	var runs []string
	for range hostileRounds {
		for _, name := range hostile {
			run, err := client.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: pluginOf(name), Action: "run", TimeoutSeconds: hostileTimeout.Seconds()}})
			if err != nil {
				return err
			}
			runs = append(runs, run.ID)
		}
	}
	silence, err := silent(ctx, client, runs)
	if err != nil {
		return err
	}
	overrun, ended, err := overran(ctx, client, runs)
	if err != nil {
		return err
	}
	time.Sleep(settle)
	grown := status(w.AgentPID(), "VmRSS:") - before
	o.table.row(fmt.Sprintf("%d hostile plugins, eight at a time (%s)", len(runs), ended), "dead ≤ 250 ms late; heartbeat ≤ 1 s late; agent + ≤ 32 MB",
		fmt.Sprintf("%d ms; %d ms; %s", overrun.Milliseconds(), max(0, silence-hostileBeat).Milliseconds(), megabytes(max(0, grown))))
	return nil
}

func pluginOf(module string) string { return "hostile-" + strings.ReplaceAll(module, "_", "-") }

// publish packs and uploads a module.
func (o *options) publish(ctx context.Context, client *sdk.Client, module string) error {
	raw, err := os.ReadFile(filepath.Join("wasmplugins", "testdata", module+".wasm"))
	if err != nil {
		return err
	}
	manifest := fmt.Sprintf("schema: octopus.plugin/v1\nabi: 1\nname: %s\nversion: 1.0.0\nactions: [{name: run}]\n", pluginOf(module))
	file := filepath.Join(o.folder, module+".wasm")
	for path, content := range map[string][]byte{file: raw, file + ".yaml": []byte(manifest)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, o.binary, "plugins", "pack", file, "--manifest", file+".yaml").CombinedOutput(); err != nil {
		return fmt.Errorf("pack: %w: %s", err, out)
	}
	packed, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = client.UploadPlugin(ctx, packed)
	return err
}

// silent watches the agent until all runs have ended, and returns the longest time that nothing was heard of it.
func silent(ctx context.Context, client *sdk.Client, runs []string) (longest time.Duration, err error) {
	left := runs
	var seen time.Time
	for len(left) > 0 {
		a, err := client.Agent(ctx, "worker")
		if err != nil {
			return 0, err
		}
		if !seen.IsZero() {
			longest = max(longest, a.LastSeen.Sub(seen))
		}
		seen = a.LastSeen
		run, err := client.Run(ctx, left[0])
		if err != nil {
			return 0, err
		}
		if run.Ended() {
			left = left[1:]
			continue
		}
		time.Sleep(20 * time.Millisecond)
	}
	return longest, nil
}

// overran is how much longer than its timeout a plugin ran at most, and how all ended.
func overran(ctx context.Context, client *sdk.Client, runs []string) (most time.Duration, ended string, err error) {
	by := map[string]int{}
	for _, id := range runs {
		page, err := client.RunExecutions(ctx, id, sdk.List{})
		if err != nil {
			return 0, "", err
		}
		for _, x := range page.Items {
			full, err := client.Execution(ctx, x.ID)
			if err != nil {
				return 0, "", err
			}
			by[full.Status]++
			if u := full.Usage; u != nil {
				most = max(most, time.Duration(u.GuestMS*float64(time.Millisecond))-hostileTimeout)
			}
		}
	}
	return most, strings.TrimPrefix(fmt.Sprint(by), "map"), nil
}
