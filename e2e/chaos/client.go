//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"octopus/e2e/history"
	"octopus/sdk"
)

// Policies of what clients submit. bound is what docs/guarantees.md promises for them: the wait, the deadline over all
// attempts, the silence after which an agent is lost, and a minute.
const (
	waitTTL   = 60 * time.Second
	deadline  = 120 * time.Second
	lostAfter = 15 * time.Second
	timeout   = 15 * time.Second
	bound     = waitTTL + deadline + lostAfter + time.Minute
)

// callTimeout is how long a client waits for one answer before it takes the server for gone.
const callTimeout = 12 * time.Second

// told is what clients were told; they share one.
type told struct {
	mu        sync.Mutex
	promises  []history.Promise  // guarded by mu
	sightings []history.Sighting // guarded by mu
	views     []history.View     // guarded by mu
	answers   map[string]int     // guarded by mu: how many calls ended how
}

func (l *told) promise(p history.Promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promises = append(l.promises, p)
}

func (l *told) see(s ...history.Sighting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sightings = append(l.sightings, s...)
}

func (l *told) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[what]++
}

// work is a run of the witness that takes so long.
func (w *world) work(takes time.Duration) sdk.StartRun {
	return sdk.StartRun{Work: sdk.Work{
		Plugin: "witness", Action: "once", Params: sdk.JSON(map[string]any{"url": w.witness.address(takes)}),
		TimeoutSeconds: timeout.Seconds(), DeadlineSeconds: deadline.Seconds(), WaitTTLSeconds: waitTTL.Seconds(),
		LostAfterSeconds: lostAfter.Seconds(),
	}}
}

// client submits work through its own link until ctx ends, and writes down what it is told.
type client struct {
	w      *world
	name   string
	api    *sdk.Client
	random *rand.Rand
	log    *told
	made   int
}

// through is an API client behind a link. It gives up on a connection that does not open.
func through(p *Proxy, token string, wrap ...func(http.RoundTripper) http.RoundTripper) (*sdk.Client, *http.Transport) {
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second}
	client := &http.Client{Transport: transport}
	for _, f := range wrap {
		client.Transport = f(client.Transport)
	}
	return sdk.New(p.URL(), token, sdk.WithRetries(2), sdk.WithHTTPClient(client)), transport
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.one(ctx)
		pause(ctx, time.Duration(c.random.Int64N(int64(20*time.Millisecond))))
	}
}

// one submits one thing and follows it for a while.
func (c *client) one(ctx context.Context) {
	c.made++
	key := c.name + "-" + strconv.Itoa(c.made)
	run, ok := c.submit(ctx, key, c.choose(key))
	if !ok || len(run.Executions) == 0 {
		return
	}
	x := run.Executions[0]
	switch n := c.random.IntN(100); {
	case n < 5:
		pause(ctx, time.Duration(c.random.Int64N(int64(300*time.Millisecond))))
		c.cancel(ctx, x.ID)
	case n < 8:
		pause(ctx, time.Duration(c.random.Int64N(int64(300*time.Millisecond))))
		c.forceClose(ctx, x.ID)
	}
	ended := c.follow(ctx, x.ID)
	if ended && c.random.IntN(50) == 0 {
		c.again(ctx, x.ID, key+"-again")
	}
}

// choose draws what to submit.
func (c *client) choose(key string) sdk.StartRun {
	long := time.Duration(c.random.Int64N(int64(2 * time.Second)))
	start := c.w.work(time.Duration(c.random.Int64N(int64(20 * time.Millisecond))))
	switch n := c.random.IntN(100); {
	case n < 8:
		start = c.w.work(long)
	case n < 18:
		start = c.w.work(long)
		start.Action, start.OnLost, start.MaxAttempts = "again", "retry", 3
	case n < 20: // fails, and is tried once more
		start.MaxAttempts = 2
		start.Params = sdk.JSON(map[string]any{"url": c.w.witness.address(0), "answer": 503})
	case n < 26:
		start.Target = sdk.Target{Mode: "agent", Agent: c.w.agentName(c.random.IntN(c.w.o.Agents))}
	case n < 28:
		start.Target = sdk.Target{Mode: "all"}
	case n < 31:
		start.Target = sdk.Target{Mode: "any", Count: 2}
	}
	start.Labels = map[string]string{"key": key}
	return start
}

// submit asks until there is an answer, each time with the same key, and gives up after a while: then nothing was
// promised.
func (c *client) submit(ctx context.Context, key string, start sdk.StartRun) (run sdk.Run, ok bool) {
	for try := 0; try < 4 && ctx.Err() == nil; try++ {
		asked := time.Now()
		err := c.call(ctx, "submit", func(ctx context.Context) (err error) {
			run, err = c.api.StartRun(ctx, start, sdk.WithIdempotencyKey(key))
			return err
		})
		if err == nil {
			c.promise(history.Promise{Kind: history.Submit, Key: key, Asked: asked}, run, asked)
			return run, true
		}
		pause(ctx, time.Duration(c.random.Int64N(int64(time.Second))))
	}
	return run, false
}

// promise writes down an acknowledged run and what the answer showed of it.
func (c *client) promise(p history.Promise, run sdk.Run, asked time.Time) {
	p.At, p.Run = time.Now(), run.ID
	for _, x := range run.Executions {
		p.Executions = append(p.Executions, x.ID)
		c.saw(x, asked)
	}
	c.log.promise(p)
}

func (c *client) saw(x sdk.Execution, asked time.Time) {
	c.log.see(history.Sighting{Observer: c.name, Execution: x.ID, Status: x.Status, Attempt: x.Attempt, Asked: asked, At: time.Now()})
}

// follow looks at an execution until it has ended, or for as long as a client is patient.
func (c *client) follow(ctx context.Context, id string) (ended bool) {
	for give := time.Now().Add(6 * time.Second); ctx.Err() == nil && time.Now().Before(give); {
		asked := time.Now()
		var x sdk.Execution
		err := c.call(ctx, "look", func(ctx context.Context) (err error) {
			x, err = c.api.Execution(ctx, id, sdk.WithWait(2*time.Second))
			return err
		})
		if err == nil {
			c.saw(x, asked)
			if x.Ended() {
				return true
			}
			continue
		}
		pause(ctx, 200*time.Millisecond)
	}
	return false
}

func (c *client) cancel(ctx context.Context, id string) {
	asked := time.Now()
	err := c.call(ctx, "cancel", func(ctx context.Context) error {
		_, err := c.api.CancelExecution(ctx, id)
		return err
	})
	if err == nil {
		c.log.promise(history.Promise{Kind: history.Cancel, Executions: []string{id}, Asked: asked, At: time.Now()})
	}
}

func (c *client) forceClose(ctx context.Context, id string) {
	asked := time.Now()
	err := c.call(ctx, "force-close", func(ctx context.Context) error {
		_, err := c.api.ForceClose(ctx, id)
		return err
	})
	if err == nil {
		c.log.promise(history.Promise{Kind: history.ForceClose, Executions: []string{id}, Asked: asked, At: time.Now()})
	}
}

// again repeats an execution that has ended.
func (c *client) again(ctx context.Context, id, key string) {
	asked := time.Now()
	var run sdk.Run
	err := c.call(ctx, "retry", func(ctx context.Context) (err error) {
		run, err = c.api.RetryExecution(ctx, id, sdk.WithIdempotencyKey(key))
		return err
	})
	if err == nil {
		c.promise(history.Promise{Kind: history.Retry, Key: key, Asked: asked}, run, asked)
	}
}

// call makes one call and counts how it ended. An answer that no fault explains is a failure of the test.
func (c *client) call(ctx context.Context, what string, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := do(limited)
	if ctx.Err() != nil {
		return ctx.Err() // the test ends
	}
	var refused *sdk.Error
	switch {
	case err == nil:
		c.log.count(what + " ok")
	case errors.As(err, &refused):
		c.log.count(fmt.Sprintf("%s %d", what, refused.Status))
		if !explained(what, refused.Status) {
			c.w.t.Errorf("%s was answered with %d: %v", what, refused.Status, err)
		}
	default:
		c.log.count(what + " unanswered")
	}
	return err
}

// explained reports whether a refusal is one that faults or other clients lead to: a cancel that came too late, a
// server that stops, a full disk.
func explained(what string, status int) bool {
	switch status {
	case http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return true
	case http.StatusConflict:
		return what == "cancel" || what == "force-close"
	}
	return false
}
