package bench

import (
	"context"
	"errors"
	"time"

	"octopus/sdk"
)

// Agents says how many simulated agents connect, for how long they stay, and what happens to their server meanwhile.
type Agents struct {
	// Server is the base URL. With a World it is that one's.
	Server string
	// APIToken is an administrator's: the load reads what the server knows, and makes a join token.
	APIToken string
	// N is the number of agents. Defaults to 10,000.
	N int
	// Hold is how long all of them stay connected while the server is measured. Defaults to 30 s.
	Hold time.Duration
	// Parallel is how many enrol at a time, and how many connect at first. After a crash nobody holds them back.
	// Defaults to 64.
	Parallel int
	// Work is how many of the agents hold a running execution when the server crashes. Defaults to none.
	Work int
	// World is a server of the load's own. Defaults to none: nobody restarts another's server.
	World *World
	// Down, with a World, kills the server and starts it again so much later. Defaults to no crash.
	Down time.Duration
	// Insecure skips the check of the server's certificate: a load test has no secrets.
	Insecure bool
	// Progress is told what happens, in words. Defaults to silence.
	Progress func(format string, args ...any)
}

// AgentsResult is what it took.
type AgentsResult struct {
	Agents         int         `json:"agents"`
	Connected      int         `json:"connected"` // at the end of the hold
	Reconnects     int         `json:"reconnects"`
	EnrolSeconds   float64     `json:"enrol_seconds"`   // until all were enrolled
	ConnectSeconds float64     `json:"connect_seconds"` // until all were there
	ConnectRate    Rate        `json:"connect_rate"`
	Enrol          Percentiles `json:"enrol"`
	Connect        Percentiles `json:"connect"`   // nonce, upgrade, hello, welcome
	Heartbeat      Percentiles `json:"heartbeat"` // sent → acknowledged, during the hold
	HoldSeconds    float64     `json:"hold_seconds"`
	// The server's memory for each agent: what its process holds more than before they connected, and what of its
	// heap is alive.
	BytesPerAgent int64          `json:"server_bytes_per_agent,omitempty"`
	HeapPerAgent  int64          `json:"server_heap_bytes_per_agent,omitempty"`
	Statements    Statements     `json:"statements"`
	Enrolling     *Process       `json:"server_while_enrolling,omitempty"`
	Connecting    *Process       `json:"server_while_connecting,omitempty"`
	Holding       *Process       `json:"server_while_holding,omitempty"`
	Crash         *Return        `json:"crash,omitempty"`
	Failures      map[string]int `json:"failures,omitempty"` // before a crash
}

// Statements is what the database had to do before the agents came and while they were there.
type Statements struct {
	IdlePerSecond    float64 `json:"idle_per_second"`
	HoldingPerSecond float64 `json:"holding_per_second"`
	PerHeartbeat     float64 `json:"per_heartbeat"` // the difference, for each heartbeat
}

func (c Agents) withDefaults() Agents {
	if c.N <= 0 {
		c.N = 10_000
	}
	if c.Hold <= 0 {
		c.Hold = 30 * time.Second
	}
	if c.Parallel <= 0 {
		c.Parallel = 64
	}
	if c.World != nil {
		c.Server, c.APIToken, c.Insecure = c.World.URL, c.World.Token, true
	}
	if c.Progress == nil {
		c.Progress = func(string, ...any) {}
	}
	c.Work = min(c.Work, c.N)
	return c
}

// calm is how long a server is left alone before it is measured at rest.
const calm = 5 * time.Second

// Run enrols the agents, connects them, holds them, and with Down lets the server crash under them.
func (c Agents) Run(ctx context.Context) (AgentsResult, error) {
	c = c.withDefaults()
	f := newFleet(c)
	defer f.client.Close()
	r := AgentsResult{Agents: c.N}
	if err := f.enrolAll(ctx, &r); err != nil {
		return r, err
	}
	if c.World != nil { // what enrolling left in memory is not the connections'
		if err := c.World.Restart(ctx); err != nil {
			return r, err
		}
	}
	before, err := f.atRest(ctx)
	if err != nil {
		return r, err
	}
	stop, wait := f.connectAll(ctx)
	defer wait()
	defer stop()
	if err := f.arrive(ctx, &r); err != nil {
		return r, err
	}
	if err := f.hold(ctx, before, &r); err != nil {
		return r, err
	}
	if c.World != nil && c.Down > 0 {
		if r.Crash, err = f.crash(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// rest is a server at rest.
type rest struct {
	process    *Process // over the time of rest
	heap       int64
	statements float64 // each second
}

// atRest leaves the server alone, then looks at it.
func (f *fleet) atRest(ctx context.Context) (rest, error) {
	if !pause(ctx, calm) {
		return rest{}, ctx.Err()
	}
	return f.look(ctx, 2*calm)
}

// look measures the server for a while.
func (f *fleet) look(ctx context.Context, for_ time.Duration) (rest, error) {
	first, err := f.client.System(ctx)
	if err != nil {
		return rest{}, err
	}
	pid, _ := ServerPID(f.Server)
	meter, begun := startMeter(pid), time.Now()
	if !pause(ctx, for_) {
		return rest{}, ctx.Err()
	}
	process, took := meter.stop(), time.Since(begun).Seconds()
	last, err := f.client.System(ctx)
	if err != nil {
		return rest{}, err
	}
	return rest{process: process, heap: last.HeapBytes, statements: float64(last.DatabaseStatements-first.DatabaseStatements) / took}, nil
}

// hold measures the server while all are connected.
func (f *fleet) hold(ctx context.Context, before rest, r *AgentsResult) error {
	f.Progress("all are connected; holding them for %s", f.Hold)
	if !pause(ctx, calm) {
		return ctx.Err()
	}
	f.heartbeats.reset()
	begun := time.Now()
	held, err := f.look(ctx, f.Hold)
	if err != nil {
		return err
	}
	r.HoldSeconds, r.Holding, r.Heartbeat = time.Since(begun).Seconds(), held.process, f.heartbeats.percentiles()
	r.Connected, r.Reconnects, r.Failures = int(f.online.Load()), int(f.reconnects.Load()), f.failed.all()
	if held.process != nil && before.process != nil {
		r.BytesPerAgent = (held.process.ResidentAfter - before.process.ResidentAfter) / int64(f.N)
	}
	r.HeapPerAgent = (held.heap - before.heap) / int64(f.N)
	r.Statements = Statements{IdlePerSecond: before.statements, HoldingPerSecond: held.statements}
	if n := r.Heartbeat.Count; n > 0 {
		r.Statements.PerHeartbeat = max(0, held.statements-before.statements) * r.HoldSeconds / float64(n)
	}
	return nil
}

// joinToken makes one that all agents may use.
func (f *fleet) joinToken(ctx context.Context) (string, error) {
	token, err := f.client.CreateJoinToken(ctx, sdk.NewJoinToken{Name: "bench", MaxUses: new(int), TTLSeconds: 3600})
	if err != nil {
		return "", err
	}
	if token.Secret == "" {
		return "", errors.New("the join token came without its secret")
	}
	return token.Secret, nil
}
