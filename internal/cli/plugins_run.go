package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octopus/agent/broker"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// localRun is one run of a module on this machine, in the same sandbox as on an agent.
type localRun struct {
	action    string
	params    paramFlags
	timeout   time.Duration
	memory    string
	allowAll  bool
	allowHTTP []string
	allowNet  []string
	allowHost []string
	allowKV   bool
	dryRun    bool
}

func (a *app) pluginRunLocal() *cobra.Command {
	var r localRun
	c := &cobra.Command{
		Use:   "run FILE.wasm",
		Short: "Run a module on this machine, without a server",
		Long: `Run a module in the sandbox of an agent, without a server. Nothing is allowed that is not allowed here;
a module with a manifest gets no more than it asks for. Key-value store and cache are in memory and begin empty.

The response goes to standard output, the log and a summary go to standard error.`,
		Example: "  octopus plugins run hello.wasm --action greet --param name=Ada\n" +
			"  octopus plugins run check.wasm --params '{\"url\": \"https://example.com\"}' --allow-http example.com",
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
	f.BoolVar(&r.allowAll, "allow-all", false, "allow all that the manifest asks for")
	f.StringSliceVar(&r.allowHTTP, "allow-http", nil, "allow HTTP to a host, as in example.com or '*'; may be repeated")
	f.StringSliceVar(&r.allowNet, "allow-net", nil, "allow tcp.probe and dns.lookup for a host or host:port; may be repeated")
	f.StringSliceVar(&r.allowHost, "allow-host", nil, "allow facts of this machine: os, cpu, memory, load, disks")
	f.BoolVar(&r.allowKV, "allow-kv", false, "allow the key-value store")
	f.BoolVar(&r.dryRun, "dry-run", false, "record what would change something instead of doing it")
	return c
}

func (a *app) runModule(ctx context.Context, m module, r localRun) error {
	action, params, err := r.request(a, m)
	if err != nil {
		return err
	}
	job, err := r.job(m, action, params)
	if err != nil {
		return err
	}
	job.OnLog = func(lines []wasmplugins.LogLine) {
		for _, l := range lines {
			fmt.Fprintln(a.Err, l.Text)
		}
	}
	job.OnProgress = func(fraction float64, message string) {
		if fraction < 0 {
			fmt.Fprintln(a.Err, message)
			return
		}
		fmt.Fprintf(a.Err, "%3.0f %% %s\n", fraction*100, message)
	}
	pool, err := localPool(m)
	if err != nil {
		return err
	}
	defer pool.Close()
	name := "module"
	if m.manifest != nil {
		name = m.manifest.Name
	}
	grant := r.grant(m)
	a.warnMissing(m, grant)
	var calls []broker.Record
	b := broker.New(broker.Config{
		Plugin: name, Grant: grant, Remote: broker.NewMemory(name), DryRun: r.dryRun,
		OnCall: func(c broker.Record) {
			c.Request = bytes.Clone(c.Request) // the sandbox reads the next call into it
			calls = append(calls, c)
		},
	})
	defer b.Close()
	out := pool.Run(ctx, job, b)
	if out.RawFile != "" {
		defer os.Remove(out.RawFile)
	}
	return a.report(out, calls)
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

func (r localRun) job(m module, action string, params json.RawMessage) (wasmplugins.Job, error) {
	job := wasmplugins.Job{Digest: wasmplugins.Digest(m.bytes), Timeout: r.timeout}
	if m.manifest != nil {
		job.Memory, job.Stdout = uint64(m.manifest.Limits.Memory), int64(m.manifest.Limits.Stdout)
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
	if len(params) == 0 {
		params = json.RawMessage(`{}`)
	}
	var err error
	job.Request, err = json.Marshal(spec.Request{
		ABI: spec.ABI, Action: action, Params: params,
		Execution: spec.RequestExecution{ID: "local", Run: "local", Attempt: 1, Deadline: time.Now().Add(job.Timeout).UTC(), DryRun: r.dryRun},
	})
	return job, err
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
	switch {
	case m.manifest == nil:
		return g
	case r.allowAll:
		return m.manifest.Capabilities
	}
	return m.manifest.Capabilities.Intersect(g)
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
	OutputBytes int             `json:"output_bytes"`
	HostCalls   []broker.Record `json:"host_calls,omitempty"`
}

func (a *app) report(out wasmplugins.Outcome, calls []broker.Record) error {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	usage := localUsage{ReadyMS: ms(out.ReadyTime), DurationMS: ms(out.GuestTime), PeakMemory: out.PeakMemory, OutputBytes: len(out.Raw), HostCalls: calls}
	for _, c := range calls {
		if c.Error != "" || c.DryRun {
			what := strings.TrimSpace(c.Op + " " + callTarget(c.Request))
			fmt.Fprintf(a.Err, "host call %s: %s\n", what, strings.TrimSpace(c.Error+dryRunWord(c.DryRun)))
		}
	}
	fmt.Fprintf(a.Err, "%d %s\n", out.Response.StatusCode, out.Response.Message)
	fmt.Fprintf(a.Err, "ready after %.0f ms, ran %.1f ms, %.1f MiB peak, host calls: %d\n", usage.ReadyMS, usage.DurationMS, float64(out.PeakMemory)/(1<<20), len(calls))
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

// callTarget says what a host call was about: its URL, host, name or key.
func callTarget(request json.RawMessage) string {
	var q struct {
		URL  string `json:"url"`
		Host string `json:"host"`
		Port int    `json:"port"`
		Name string `json:"name"`
		Key  string `json:"key"`
	}
	_ = json.Unmarshal(request, &q) // a request that is not JSON was refused already
	if q.Host != "" {
		return net.JoinHostPort(q.Host, strconv.Itoa(q.Port))
	}
	return cmp.Or(q.URL, q.Name, q.Key)
}

func dryRunWord(dry bool) string {
	if dry {
		return " recorded, not done"
	}
	return ""
}

// cacheDir keeps compiled modules between calls. Without a home they go where temporary files go.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "octopus", "sandbox")
}
