package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octopus/agent/broker"
	"octopus/agent/redact"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// localRun is one run of a module on this machine, in the same sandbox as on an agent.
type localRun struct {
	action    string
	params    paramFlags
	timeout   time.Duration
	memory    string
	fuel      uint64
	allowAll  bool
	allowHTTP []string
	allowNet  []string
	allowHost []string
	allowKV   bool
	secrets   []string
	dryRun    bool
	record    string // file to keep the host calls in
	replay    string // file to answer them from
	artifacts string // folder for the files that it hands over
	config    string // JSON, @file or -
	clock     string // where its clock stands; "": the real one
	seed      string // of its random numbers; "": real ones
}

func (a *app) pluginRunLocal() *cobra.Command {
	var r localRun
	c := &cobra.Command{
		Use:   "run FILE.wasm",
		Short: "Run a module on this machine, without a server",
		Long: `Run a module in the sandbox of an agent, without a server. Nothing is allowed that is not allowed here;
a module with a manifest gets no more than it asks for. Key-value store and cache are in memory and begin empty.

The response goes to standard output, the log and a summary go to standard error.`,
		Args: exactly("FILE.wasm"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			return a.runModule(cmd.Context(), m, r)
		},
	}
	f := c.Flags()
	f.StringVar(&r.action, "action", "", "action to run (default: the only one)")
	r.params.register(f)
	f.DurationVar(&r.timeout, "timeout", 0, "kill the module after this time (default: the manifest's, or 30s)")
	f.StringVar(&r.memory, "memory", "", "limit of the module's memory (default: the manifest's, or 64MiB)")
	f.Uint64Var(&r.fuel, "fuel", 0, "end the module once it has executed so much, about one unit an instruction (default: the manifest's, or no limit)")
	f.BoolVar(&r.allowAll, "allow-all", false, "allow all that the manifest asks for")
	f.StringSliceVar(&r.allowHTTP, "allow-http", nil, "allow HTTP to a host, as in example.com or '*'; may be repeated")
	f.StringSliceVar(&r.allowNet, "allow-net", nil, "allow tcp.probe and dns.lookup for a host or host:port; may be repeated")
	f.StringSliceVar(&r.allowHost, "allow-host", nil, "allow facts of this machine: os, cpu, memory, load, disks")
	f.BoolVar(&r.allowKV, "allow-kv", false, "allow the key-value store")
	f.StringArrayVar(&r.secrets, "secret", nil, "allow a secret and give its value: name=value, or name=@file; may be repeated")
	f.BoolVar(&r.dryRun, "dry-run", false, "record what would change something instead of doing it")
	f.StringVar(&r.record, "record", "", "keep the host calls and their replies in a file, without secrets")
	f.StringVar(&r.replay, "replay", "", "answer the host calls from a file that --record wrote; nothing leaves this machine")
	f.StringVar(&r.artifacts, "artifacts", "", "folder for the files that the module hands over (default: they are only listed)")
	f.StringVar(&r.config, "config", "", "what an administrator would fill in for the plugin, as JSON: '{…}' or @file")
	f.StringVar(&r.clock, "clock", "", "freeze the module's clock, as in 2026-01-01T00:00:00Z; sleeping moves it")
	f.StringVar(&r.seed, "seed", "", "seed the module's random numbers, with a number (default: real ones)")
	c.MarkFlagsMutuallyExclusive("record", "replay")
	c.MarkFlagsMutuallyExclusive("clock", "replay")
	c.MarkFlagsMutuallyExclusive("seed", "replay")
	return c
}

func (a *app) runModule(ctx context.Context, m module, r localRun) error {
	action, params, err := r.request(a, m)
	if err != nil {
		return err
	}
	config, err := r.configuration(a, m)
	if err != nil {
		return err
	}
	job, err := r.job(m)
	if err != nil {
		return err
	}
	if job.Repeat, err = r.repeat(); err != nil {
		return err
	}
	secrets, err := r.secretValues()
	if err != nil {
		return err
	}
	var hidden redact.Redactor
	log := a.listen(&job, &hidden)
	pool, err := localPool(m)
	if err != nil {
		return err
	}
	defer pool.Close()
	name, grant := m.name(), r.grant(m)
	if r.replay == "" {
		a.warnMissing(m, grant)
	}
	kept, err := r.folder(&hidden)
	if err != nil {
		return err
	}
	defer kept.close()
	var calls callList
	b := broker.New(broker.Config{
		Plugin: name, Grant: grant, Remote: broker.WithSecrets(broker.NewMemory(name), secrets), Redact: &hidden, DryRun: r.dryRun,
		Artifacts: kept, OnCall: calls.add,
	})
	defer b.Close()
	head := broker.RecordHead{Plugin: name, Digest: job.Digest, Action: action, DryRun: r.dryRun, Clock: job.Repeat.Clock, Seed: job.Repeat.Seed}
	host, finish, err := r.host(b, &head, &hidden, calls.add)
	if err != nil {
		return err
	}
	job.Repeat = wasmplugins.Repeat{Clock: head.Clock, Seed: head.Seed, Instant: r.replay != ""}
	if job.Request, err = r.stdin(job, action, params, config); err != nil {
		return err
	}
	out := pool.Run(ctx, job, host)
	log.Close()
	recorded := finish()
	out.Response = hidden.Response(out.Response)
	if out.RawFile != "" {
		defer os.Remove(out.RawFile)
	}
	if err := a.report(out, calls.hide(&hidden)); recorded == nil {
		return err
	}
	return exitError{code: ExitFailed, err: recorded}
}

// listen prints what the plugin says while it runs, without the secrets that hidden knows. The caller closes the log after it.
func (a *app) listen(job *wasmplugins.Job, hidden *redact.Redactor) *redact.Lines {
	log := &redact.Lines{Redactor: hidden, Out: func(lines []wasmplugins.LogLine) {
		for _, l := range lines {
			fmt.Fprintln(a.Err, l.Text)
		}
	}}
	job.OnLog = log.Write
	job.OnProgress = func(fraction float64, message string) {
		message = hidden.Text(message)
		if fraction < 0 {
			fmt.Fprintln(a.Err, message)
			return
		}
		fmt.Fprintf(a.Err, "%3.0f %% %s\n", fraction*100, message)
	}
	return log
}

// localPool is a sandbox that holds one module.
func localPool(m module) (*wasmplugins.Pool, error) {
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: cacheDir(), MaxRunners: 2,
		Load: func(context.Context, string) ([]byte, error) { return m.bytes, nil },
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return pool, nil
}

// request picks the action and completes the parameters as a server would.
func (r localRun) request(a *app, m module) (string, json.RawMessage, error) {
	if m.manifest == nil {
		params, err := r.params.read(a.In, nil)
		return r.action, params, err
	}
	name := r.action
	if name == "" && len(m.manifest.Actions) == 1 {
		name = m.manifest.Actions[0].Name
	}
	action, ok := m.manifest.Action(name)
	if !ok {
		var names []string
		for _, known := range m.manifest.Actions {
			names = append(names, known.Name)
		}
		return "", nil, usagef("--action must be one of: %s.", strings.Join(names, ", "))
	}
	params, err := r.params.read(a.In, action.Params)
	if err != nil {
		return "", nil, err
	}
	params, err = completeParams(m.manifest, name, params)
	return name, params, err
}

func (r localRun) job(m module) (wasmplugins.Job, error) {
	job := wasmplugins.Job{Digest: wasmplugins.Digest(m.bytes), Timeout: r.timeout, Fuel: r.fuel, CountFuel: true}
	if m.manifest != nil {
		job.Memory, job.Stdout = uint64(m.manifest.Limits.Memory), int64(m.manifest.Limits.Stdout)
		if job.Fuel == 0 {
			job.Fuel = m.manifest.Limits.Fuel
		}
		if job.Timeout == 0 {
			job.Timeout = time.Duration(m.manifest.Limits.Timeout)
		}
	}
	if job.Timeout <= 0 {
		job.Timeout = wasmplugins.DefaultTimeout
	}
	if r.memory != "" {
		size, err := spec.ParseSize(r.memory)
		if err != nil {
			return job, usagef("--memory: %v.", err)
		}
		job.Memory = uint64(size)
	}
	return job, nil
}

// stdin is the request, whose deadline is by the clock that the module sees.
func (r localRun) stdin(job wasmplugins.Job, action string, params, config json.RawMessage) ([]byte, error) {
	if len(params) == 0 {
		params = json.RawMessage(`{}`)
	}
	now := job.Repeat.Clock
	if now.IsZero() {
		now = time.Now()
	}
	return json.Marshal(spec.Request{
		ABI: spec.ABI, Action: action, Params: params, Config: config,
		Execution: spec.RequestExecution{ID: "local", Run: "local", Attempt: 1, Deadline: now.Add(job.Timeout).UTC(), DryRun: r.dryRun},
	})
}

// grant is what the flags allow, and no more than a manifest asks for. A host that is named here may have any
// address: whoever types the command decides.
func (r localRun) grant(m module) spec.Capabilities {
	anywhere := []string{spec.Public, spec.Private, spec.Loopback}
	var g spec.Capabilities
	if len(r.allowHTTP) > 0 {
		g.HTTP = &spec.HTTP{Hosts: r.allowHTTP, Addresses: anywhere, Methods: []string{"*"}}
	}
	if len(r.allowNet) > 0 {
		g.Net = &spec.Net{Hosts: r.allowNet, Addresses: anywhere}
	}
	if r.allowKV {
		g.KV = &spec.KV{}
	}
	g.Host = r.allowHost
	for _, pair := range r.secrets {
		name, _, _ := strings.Cut(pair, "=")
		g.Secrets = append(g.Secrets, spec.Secret{Name: name, Expose: "value"})
	}
	switch {
	case m.manifest == nil:
		return g
	case r.allowAll:
		return m.manifest.Capabilities
	}
	return m.manifest.Capabilities.Intersect(g)
}

// secretValues reads what --secret names.
func (r localRun) secretValues() (map[string]string, error) {
	values := make(map[string]string, len(r.secrets))
	for _, pair := range r.secrets {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return nil, usagef("--secret must look like name=value or name=@file.")
		}
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			raw, err := os.ReadFile(file)
			if err != nil {
				return nil, usagef("--secret %s: %v.", name, err)
			}
			value = strings.TrimSuffix(string(raw), "\n")
		}
		values[name] = value
	}
	return values, nil
}

// warnMissing says beforehand what will be denied.
func (a *app) warnMissing(m module, grant spec.Capabilities) {
	if m.manifest == nil {
		return
	}
	if missing := m.manifest.Capabilities.Missing(grant); len(missing) > 0 {
		fmt.Fprintf(a.Err, "Not allowed here: %s. See the --allow flags, or use --allow-all.\n", strings.Join(missing, ", "))
	}
}

// localResult is what `plugins run -o json` prints.
type localResult struct {
	spec.Response
	Usage localUsage `json:"usage"`
}

type localUsage struct {
	ReadyMS     float64         `json:"ready_ms"`
	DurationMS  float64         `json:"duration_ms"`
	PeakMemory  uint64          `json:"peak_memory_bytes"`
	OutputBytes int64           `json:"output_bytes"`
	Fuel        uint64          `json:"fuel"`
	FuelAtLeast bool            `json:"fuel_at_least,omitempty"` // it was killed, or it trapped
	HostCalls   []broker.Record `json:"host_calls,omitempty"`
}

func (a *app) report(out wasmplugins.Outcome, calls []broker.Record) error {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	usage := localUsage{ReadyMS: ms(out.ReadyTime), DurationMS: ms(out.GuestTime), PeakMemory: out.PeakMemory, OutputBytes: out.RawSize, Fuel: out.Fuel, FuelAtLeast: out.FuelAtLeast, HostCalls: calls}
	printCalls(a.Err, calls)
	fmt.Fprintf(a.Err, "%d %s\n", out.Response.StatusCode, out.Response.Message)
	fmt.Fprintf(a.Err, "ready after %.0f ms, ran %.1f ms, %.1f MiB peak, fuel: %s%d, host calls: %d\n", usage.ReadyMS, usage.DurationMS, float64(out.PeakMemory)/(1<<20), atLeast(out.FuelAtLeast), out.Fuel, len(calls))
	var err error
	if a.flags.output == "table" {
		err = printJSON(a.Out, out.Response)
	} else {
		err = a.print(localResult{Response: out.Response, Usage: usage}, nil)
	}
	if err == nil && !out.Response.Succeeded() {
		err = exitError{code: ExitFailed}
	}
	return err
}

// cacheDir keeps compiled modules between calls. Without a home they go where temporary files go.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "octopus", "sandbox")
}
