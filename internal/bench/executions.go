package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"octopus/sdk"
)

// Executions says how many runs are started over REST, and how many at a time. Each is counted from the moment
// before the request to the moment at which the caller knows that it has ended.
type Executions struct {
	// Server is the base URL, Token an API token.
	Server, Token string
	// N ends the load after so many runs. Defaults to no end.
	N int
	// Duration ends the load after a time. Defaults to 10 s where N is 0.
	Duration time.Duration
	// InFlight is how many are started and waited for at a time. Defaults to 1.
	InFlight int
	// Plugin, Action and Params are what runs. Defaults to noop, run and {}.
	Plugin, Action string
	Params         json.RawMessage
	// Warm runs are started before the measuring, so that a sandbox is warm. Defaults to 2 for each in flight.
	Warm int
}

// ExecutionsResult is how long they took.
type ExecutionsResult struct {
	Plugin    string         `json:"plugin"`
	InFlight  int            `json:"in_flight"`
	Count     int            `json:"count"`
	Seconds   float64        `json:"seconds"`
	Rate      float64        `json:"per_second"`
	Latency   Percentiles    `json:"latency"`
	ServerCPU float64        `json:"server_cpu_ms_each"` // for each execution, where it runs on this machine; so the next three
	AgentCPU  float64        `json:"agent_cpu_ms_each"`
	RunnerCPU float64        `json:"runner_cpu_ms_each"`
	ClientCPU float64        `json:"client_cpu_ms_each"`
	Server    *Process       `json:"server,omitempty"`
	Ended     map[string]int `json:"ended"` // runs by status
	Failures  map[string]int `json:"failures,omitempty"`
}

func (e Executions) withDefaults() Executions {
	if e.InFlight <= 0 {
		e.InFlight = 1
	}
	if e.N <= 0 && e.Duration <= 0 {
		e.Duration = 10 * time.Second
	}
	if e.Plugin == "" {
		e.Plugin, e.Action = "noop", "run"
	}
	if e.Warm <= 0 {
		e.Warm = 2 * e.InFlight
	}
	return e
}

// Run puts the load on.
func (e Executions) Run(ctx context.Context) (ExecutionsResult, error) {
	e = e.withDefaults()
	client := sdk.New(e.Server, e.Token, sdk.WithUserAgent("octopus-bench"), sdk.WithHTTPClient(httpClient(e.InFlight, false)))
	defer client.Close()
	if err := settle(ctx, e.Server); err != nil {
		return ExecutionsResult{}, err
	}
	if err := each(ctx, e.Warm, e.InFlight, func(ctx context.Context, _ int) error {
		_, err := e.one(ctx, client)
		return err
	}); err != nil {
		return ExecutionsResult{}, fmt.Errorf("warm-up: %w", err)
	}

	pid, _ := ServerPID(e.Server)
	load := ctx
	if e.Duration > 0 {
		var cancel context.CancelFunc
		load, cancel = context.WithTimeout(ctx, e.Duration)
		defer cancel()
	}
	n := e.N
	if n <= 0 {
		n = int(^uint(0) >> 2)
	}
	var latency samples
	var failed failures
	var ended counter
	var done atomic.Int64
	process, used, started := startMeter(pid), startLedger(e.Server), time.Now()
	_ = each(load, n, e.InFlight, func(context.Context, int) error { // its error is the end of the time
		begun := time.Now()
		run, err := e.one(ctx, client) // what was started is waited for
		if err != nil {
			failed.add(err)
			return nil
		}
		latency.add(time.Since(begun))
		ended.add(run.Status)
		done.Add(1)
		return nil
	})
	took := time.Since(started).Seconds()
	r := ExecutionsResult{
		Plugin: e.Plugin, InFlight: e.InFlight, Count: int(done.Load()), Seconds: took, Rate: float64(done.Load()) / took,
		Latency: latency.percentiles(), Server: process.stop(), Ended: ended.all(), Failures: failed.all(),
	}
	each := used.stop().each(r.Count)
	r.ServerCPU, r.AgentCPU, r.RunnerCPU, r.ClientCPU = each.Server, each.Agents, each.Runners, each.Client
	return r, ctx.Err()
}

// one starts a run and returns it when it has ended.
func (e Executions) one(ctx context.Context, c *sdk.Client) (sdk.Run, error) {
	run, err := c.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: e.Plugin, Action: e.Action, Params: e.Params}}, sdk.WithWait(30*time.Second))
	if err != nil || run.Ended() {
		return run, err
	}
	return c.WaitRun(ctx, run.ID)
}

// httpClient keeps one connection open for each request in flight. insecure does not check the certificate.
func httpClient(inFlight int, insecure bool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = inFlight+8, inFlight+8
	transport.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: insecure}
	return &http.Client{Transport: transport}
}
