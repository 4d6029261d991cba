package bench

import (
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Fill says how much history is made, and where. No server may run on the database.
type Fill struct {
	// Database is a SQLite file or a PostgreSQL URL. It may hold something already.
	Database string
	// N is the number of executions. Defaults to 1,000,000.
	N int
	// Agents and Tasks are how many they belong to. Default to 1,000 and 200.
	Agents, Tasks int
	// Days is how far back the history goes. Defaults to 20: servers keep 30.
	Days int
	// Progress is told what happens, in words. Defaults to silence.
	Progress func(format string, args ...any)
}

// FillResult is what was made.
type FillResult struct {
	Executions int     `json:"executions"`
	Runs       int     `json:"runs"`
	Agents     int     `json:"agents"`
	Tasks      int     `json:"tasks"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"database_bytes"`
	// RareTask, RareAgent and RareText have a handful of executions among all the others.
	RareTask  string `json:"rare_task"`
	RareAgent string `json:"rare_agent"`
	RareText  string `json:"rare_text"`
}

func (c Fill) withDefaults() Fill {
	if c.N <= 0 {
		c.N = 1_000_000
	}
	if c.Agents <= 0 {
		c.Agents = 1000
	}
	if c.Tasks <= 0 {
		c.Tasks = 200
	}
	if c.Days <= 0 {
		c.Days = 20
	}
	if c.Progress == nil {
		c.Progress = func(string, ...any) {}
	}
	return c
}

// filler makes a history, the same for the same numbers.
type filler struct {
	Fill
	store  *store.Store
	random *rand.Rand
	start  time.Time
	step   time.Duration // between two executions
	made   int
	agents []octopus.Agent
	tasks  []octopus.Task
}

// fillRuns is how many runs one operation stores; fillWide how many executions each hundredth run has.
const (
	fillRuns = 500
	fillWide = 100
)

// rareText is in the message of one in a hundred thousand executions.
const rareText = "kraken"

// Run makes the history.
func (c Fill) Run(ctx context.Context) (r FillResult, err error) {
	c = c.withDefaults()
	begun := time.Now()
	s, err := store.Open(ctx, store.Options{URL: c.Database})
	if err != nil {
		return r, err
	}
	defer s.Close()
	span := time.Duration(c.Days) * 24 * time.Hour
	f := &filler{
		Fill: c, store: s, random: rand.New(rand.NewPCG(1, uint64(c.N))),
		start: begun.Add(-span), step: span / time.Duration(c.N+1),
	}
	if err := f.cast(ctx); err != nil {
		return r, err
	}
	for f.made < c.N {
		var batch []store.PastRun
		for len(batch) < fillRuns && f.made < c.N {
			batch = append(batch, f.run())
		}
		if err := s.AddPast(ctx, batch); err != nil {
			return r, err
		}
		if r.Runs += len(batch); r.Runs%(40*fillRuns) == 0 {
			c.Progress("%d of %d executions after %.0f s", f.made, c.N, time.Since(begun).Seconds())
		}
	}
	health, err := s.Health(ctx)
	r.Executions, r.Agents, r.Tasks = f.made, len(f.agents), len(f.tasks)
	r.Seconds, r.Bytes = time.Since(begun).Seconds(), health.SizeBytes
	r.RareTask, r.RareAgent, r.RareText = f.tasks[len(f.tasks)-1].Name, f.agents[len(f.agents)-1].Name, rareText
	return r, err
}

// cast makes the agents and tasks that the history is about.
func (f *filler) cast(ctx context.Context) error {
	now := f.store.Now()
	secret := sha256.Sum256([]byte(now.String()))
	token := octopus.JoinToken{ID: octopus.NewID(octopus.PrefixToken, now), Name: "fill", Hash: secret[:], CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := f.store.CreateJoinToken(ctx, token); err != nil {
		return err
	}
	f.agents, f.tasks = make([]octopus.Agent, f.Agents), make([]octopus.Task, f.Tasks)
	err := each(ctx, f.Agents, 64, func(ctx context.Context, i int) (err error) {
		key := sha256.Sum256(fmt.Appendf(secret[:], "agent %d", i))
		f.agents[i], err = f.store.Enrol(ctx, token.Hash, octopus.Agent{
			ID: octopus.NewID(octopus.PrefixAgent, now), Name: fmt.Sprintf("host-%05d", i), PublicKey: key[:], Slots: 4,
			Labels: map[string]string{"env": pick(i, "prod", "prod", "staging", "dev"), "role": pick(i, "web", "db", "queue")},
			Facts:  octopus.Facts{Hostname: fmt.Sprintf("host-%05d.example.com", i), OS: "linux", Arch: "amd64", Platform: "simulated", Slots: 4},
		})
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, f.Tasks, 64, func(ctx context.Context, i int) (err error) {
		f.tasks[i], _, err = f.store.CreateTask(ctx, octopus.Task{
			ID: octopus.NewID(octopus.PrefixTask, now), Name: fmt.Sprintf("job-%04d-%s", i, strings.ToLower(cryptorand.Text()[:4])), Type: octopus.TaskAdhoc, Enabled: true,
			Folder: pick(i, "ops", "web", "data"), Labels: map[string]string{"team": pick(i, "a", "b", "c")},
			Work: octopus.Work{Plugin: pick(i, "noop", "http-check", "system-info"), Action: "run", Params: []byte("{}")},
		}, nil)
		return err
	})
}

func pick(i int, of ...string) string { return of[i%len(of)] }

// run makes the next run: a fifth are ad hoc, one in a hundred has a hundred executions.
func (f *filler) run() store.PastRun {
	at := f.start.Add(time.Duration(f.made) * f.step)
	task := f.tasks[f.skewed(len(f.tasks))]
	run := octopus.Run{
		ID: f.id(octopus.PrefixRun, at), TaskID: task.ID, TaskName: task.Name, TaskRevision: 1,
		Digest:    "sha256:" + fmt.Sprintf("%064x", 1),
		Work:      octopus.Work{Plugin: task.Plugin, Version: "1.0.0", Action: task.Action, Params: []byte("{}"), Target: octopus.Target{Mode: octopus.TargetAny, Count: 1}},
		CreatedBy: pick(f.random.IntN(7), "ada", "ada", "ada", "grace", "linus", "barbara", "edsger"), Source: "schedule",
		CreatedAt: at, StartedAt: at.Add(20 * time.Millisecond), FinishedAt: at.Add(time.Second),
	}
	if f.random.IntN(5) == 0 {
		run.TaskID, run.TaskName, run.TaskRevision, run.Source = "", "", 0, "api"
	}
	width := 1
	if f.random.IntN(100) == 0 {
		width = min(fillWide, f.N-f.made)
		run.Target = octopus.Target{Mode: octopus.TargetAll}
	}
	past := store.PastRun{Run: run}
	for range width {
		past.Executions = append(past.Executions, f.execution(&run, at.Add(time.Duration(len(past.Executions))*time.Microsecond)))
		f.made++
	}
	return past
}

// skewed is a number below n: small ones often, the last one hardly ever.
func (f *filler) skewed(n int) int {
	x := f.random.Float64()
	if i := int(x * x * x * float64(n)); i < n-1 || f.random.IntN(500) == 0 {
		return min(i, n-1)
	}
	return 0
}

// id is an identifier of its time. The process's own never go back.
func (f *filler) id(prefix string, at time.Time) string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	text := make([]byte, 26)
	ms := uint64(at.UnixMilli())
	for i := range 10 {
		text[i] = alphabet[ms>>(45-5*i)&31]
	}
	// The microsecond keeps the order of creation, the rest tells them apart.
	us := uint64(at.UnixMicro() % 1000)
	text[10], text[11] = alphabet[us>>5], alphabet[us&31]
	for i := 12; i < len(text); i++ {
		text[i] = alphabet[f.random.IntN(32)]
	}
	return prefix + string(text)
}

// execution makes one that has ended: of a thousand 940 succeeded.
func (f *filler) execution(run *octopus.Run, at time.Time) store.PastExecution {
	agent := f.agents[f.skewed(len(f.agents))]
	x := octopus.Execution{
		ID: f.id(octopus.PrefixExecution, at), RunID: run.ID, TaskID: run.TaskID, TaskName: run.TaskName, Plugin: run.Plugin,
		PluginVersion: run.Version, Digest: run.Digest, Action: run.Action, Mode: run.Target.Mode, MaxAttempts: 1, OnLost: octopus.OnLostFail,
		Memory: 64 << 20, Timeout: 30 * time.Second, LostAfter: 15 * time.Minute, CreatedAt: at, CreatedBy: run.CreatedBy,
		AgentID: agent.ID, AgentName: agent.Name, Fence: 2, Attempt: 1, StatusCode: 200, Message: "Done.",
		QueuedAt: at, OfferedAt: at.Add(time.Millisecond), GoAt: at.Add(10 * time.Millisecond), StartedAt: at.Add(20 * time.Millisecond),
		FinishedAt: at.Add(time.Second), Usage: octopus.Usage{GuestTime: 900 * time.Millisecond, PeakMemory: 8 << 20, OutputBytes: 120},
	}
	x.Status = f.status()
	if x.Status != octopus.Succeeded {
		x.StatusCode, x.Message = 500, "It did not work this time."
		x.Reason = &octopus.Reason{Code: string(x.Status), Message: "It ended as " + string(x.Status) + "."}
	}
	if f.random.IntN(100_000) == 0 {
		x.Message = "A " + rareText + " was seen."
	}
	return store.PastExecution{
		Execution: x,
		Events: []octopus.Event{
			{Kind: "queued", Message: "Queued.", At: at},
			{Kind: "running", AgentID: agent.ID, AgentName: agent.Name, Message: "Started on " + agent.Name + ".", Attempt: 1, At: x.GoAt},
			{Kind: string(x.Status), AgentID: agent.ID, AgentName: agent.Name, Message: x.Message, Attempt: 1, At: x.FinishedAt},
		},
		Attempts: []octopus.Attempt{{
			ExecutionID: x.ID, Number: 1, Fence: 2, AgentID: agent.ID, AgentName: agent.Name, Status: x.Status, Reason: x.Reason,
			GoAt: x.GoAt, StartedAt: x.StartedAt, FinishedAt: x.FinishedAt,
		}},
	}
}

func (f *filler) status() octopus.Status {
	switch n := f.random.IntN(1000); {
	case n < 940:
		return octopus.Succeeded
	case n < 975:
		return octopus.Failed
	case n < 985:
		return octopus.TimedOut
	case n < 990:
		return octopus.Cancelled
	case n < 995:
		return octopus.Lost
	case n < 998:
		return octopus.Expired
	}
	return octopus.Rejected
}
